-- Activities that are not wanted any more: those of runs that ended, and those that a run withdrew. Those that are
-- free go; those that are claimed are marked, and go with their completion or when their lease has ended.
-- $1 instances whose run ended; $2 instances, $3 runs, $4 operations of what was withdrawn.
--
-- Needs: the withdrawn operations hashed, as a subquery in the list of columns is; a join would be guessed to be
-- small and compare everything with everything.
with found as materialized (
    select
        instance,
        id,
        instance = any ($1::bigint[])
            or (instance, run, operation) in (
                select *
                from unnest($2::bigint[], $3::integer[], $4::integer[])
            ) as unwanted
    from {schema}.activity_tasks
    where instance = any ($1::bigint[] || $2::bigint[])
),
leftover as materialized (
    select task.instance, task.id, task.token
    from found
    join {schema}.activity_tasks as task on task.instance = any (array[found.instance]) and task.id = found.id
    where found.unwanted
    order by found.instance, found.id
    for update of task
),
removed as (
    delete from {schema}.activity_tasks as task
    using leftover
    where task.instance = any (array[leftover.instance])
        and task.id = leftover.id
        and leftover.token is null
)
update {schema}.activity_tasks as task
set cancelled = true
from leftover
where task.instance = any (array[leftover.instance])
    and task.id = leftover.id
    and leftover.token is not null
