-- As lock_instances: the oldest finished instances of an id; those have their own key in `ended`. $1 id, $2 most
-- instances.
with target as materialized (
    select k
    from {schema}.instances
    where id = $1::text
        and ended > 0
    order by ended
    limit $2::integer
    for update
)
select set_config('perdure.targets', coalesce(array_agg(k)::text, '{}'), true), count(*)
from target
