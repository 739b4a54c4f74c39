-- As lock_instances, by text id: the active instances of $1.
with target as materialized (
    select k
    from {schema}.instances
    where id = any ($1::text[])
        and ended = 0
    order by k + 0
    for no key update
)
select set_config('perdure.targets', coalesce(array_agg(k)::text, '{}'), true)
from target
