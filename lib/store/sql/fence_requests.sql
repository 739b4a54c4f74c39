-- Stops the transaction when a request to the same instance comes before one of the batch and is not in it: what one
-- transaction wrote arrives in its order, whatever stands in the way of some of it. $1 keys of the requests, $2 ids of
-- their instances. Needs a probe of the index on (id, k) for each.
select {schema}.fence(array_agg(request.position order by request.position))
from unnest($1::bigint[], $2::text[]) with ordinality as request (k, id, position)
where exists (
    select
    from {schema}.requests as earlier
    where earlier.id = request.id
        and earlier.k < request.k
        and earlier.k <> all ($1::bigint[])
    offset 0 -- probes, as durable_settings has it
)
having count(*) > 0
