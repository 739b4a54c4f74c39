-- Activities of runs that ended: nobody waits for them. Those that are free go; those that are claimed are
-- marked, and go with their completion or when their lease has ended. $1 instances.
with leftover as materialized (
    select instance, id, token
    from {schema}.activity_tasks
    where instance = any ($1::bigint[])
    order by instance, id
    for update
),
removed as (
    delete from {schema}.activity_tasks as task
    using leftover
    where task.instance = leftover.instance
        and task.id = leftover.id
        and leftover.token is null
)
update {schema}.activity_tasks as task
set cancelled = true
from leftover
where task.instance = leftover.instance
    and task.id = leftover.id
    and leftover.token is not null
