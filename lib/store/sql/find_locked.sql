-- Which instances somebody has locked, without waiting for anybody. $1 keys; $2 ids, of their active instances.
-- Returns keys and ids.
with wanted as materialized (
    select k
    from {schema}.instances
    where k = any ($1::bigint[])
    union
    select k
    from {schema}.instances
    where id = any ($2::text[])
        and ended = 0
),
free as materialized (
    select k
    from {schema}.instances
    where k = any (array(select k from wanted))
    order by k
    for no key update skip locked
)
select instance.k, instance.id
from wanted
join {schema}.instances as instance on instance.k = any (array[wanted.k])
where instance.k not in (select k from free)
