-- The oldest requests, but those to some instances. $1 ids of these, $2 most rows, $3 bytes of data behind which no more
-- are read. Needs the index on k; the data of rows that are left out is not touched.
select k, type, id, name, data, key
from (
    select *, sum(octet_length(data)) over (order by k) - octet_length(data) as before
    from (
        select *
        from {schema}.requests
        where id <> all ($1::text[])
        order by k
        limit $2::integer
    ) as oldest
) as measured
where before < $3::bigint
order by k
