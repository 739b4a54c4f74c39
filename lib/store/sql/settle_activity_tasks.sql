-- What becomes of the activities' rows. $1 instances, $2 ids, $3 runs, $4 true for another attempt, $5 delays in
-- milliseconds until it, $6 claims to take off the attempts. A row that nobody waits for, because its run has ended or
-- does not want it any more, goes in any case; returns the positions of those.
with fate as (
    select
        report.*,
        instance.k is null or task.cancelled as dropped,
        report.again and instance.k is not null and not task.cancelled as stays
    from unnest($1::bigint[], $2::bigint[], $3::integer[], $4::boolean[], $5::bigint[], $6::integer[])
        with ordinality as report (instance, id, run, again, delay, uncounted, position)
    join {schema}.activity_tasks as task on task.instance = any (array[report.instance]) and task.id = report.id
    left join {schema}.instances as instance
        on instance.k = any (array[report.instance])
        and instance.run = report.run
        and instance.ended is not distinct from 0
),
removed as (
    delete from {schema}.activity_tasks as task
    using fate
    where task.instance = any (array[fate.instance])
        and task.id = fate.id
        and not fate.stays
),
given_back as (
    update {schema}.activity_tasks as task
    set token = null,
        visible_at = clock_timestamp() + fate.delay * interval '1 millisecond',
        attempt = task.attempt - fate.uncounted
    from fate
    where task.instance = any (array[fate.instance])
        and task.id = fate.id
        and fate.stays
)
select position
from fate
where dropped
