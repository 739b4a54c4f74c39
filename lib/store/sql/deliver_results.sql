-- Puts results into the inboxes of their instances, numbered in the order of the batch. An instance that has
-- finished, is in a later run or does not want the activity any more gets none. $1 instances, $2 ids, $3 runs,
-- $4 types, $5 operations, $6 names, $7 data.
with delivered as materialized (
    select
        report.*,
        instance.arrived + row_number() over (partition by report.instance order by report.position) as number
    from unnest(
        $1::bigint[], $2::bigint[], $3::integer[], $4::text[], $5::integer[], $6::text[], $7::bytea[]
    ) with ordinality as report (instance, id, run, type, operation, name, data, position)
    join {schema}.activity_tasks as task
        on task.instance = any (array[report.instance])
        and task.id = report.id
        and not task.cancelled
    join {schema}.instances as instance
        on instance.k = any (array[report.instance])
        and instance.run = report.run
        and instance.ended is not distinct from 0
),
stored as (
    insert into {schema}.inbox (instance, number, type, run, operation, name, data, at)
    select instance, number, type, run, operation, name, data, clock_timestamp()
    from delivered
),
counted as (
    select instance, count(*) as events
    from delivered
    group by instance
)
update {schema}.instances as instance
set arrived = instance.arrived + counted.events
from counted
where instance.k = any (array[counted.instance])
