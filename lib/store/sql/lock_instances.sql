-- The first statement of every transaction that changes instances: locks their rows, in one order. What follows
-- is later statements, whose snapshots see what the waited-for transactions did. Leaves the keys it found for
-- them. $1 keys.
with target as materialized (
    select k
    from {schema}.instances
    where k = any ($1::bigint[])
    order by k
    for no key update
)
select set_config('perdure.targets', coalesce(array_agg(k)::text, '{}'), true)
from target
