-- What becomes of the task rows. Something arrived meanwhile: the row stays claimed, under the next token. Else it
-- sleeps until the earliest timer, or goes. $1 instances, $2 next tokens, $3 leases in milliseconds, $4 earliest
-- timers, $5 how the run ended: 0 it did not, 1 for good, 2 another run begins.
with fate as (
    select
        report.*,
        report.ending = 0 and instance.arrived > instance.consumed as more,
        report.ending = 1
            or (report.ending = 0 and instance.arrived = instance.consumed and report.timer is null) as done
    from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::timestamptz[], $5::smallint[])
        as report (instance, next_token, lease, timer, ending)
    join {schema}.instances as instance on instance.k = any (array[report.instance])
),
removed as (
    delete from {schema}.workflow_tasks as task
    using fate
    where task.instance = any (array[fate.instance])
        and fate.done
)
update {schema}.workflow_tasks as task
set token = case when fate.more then fate.next_token end,
    visible_at = case
        when fate.more then clock_timestamp() + fate.lease * interval '1 millisecond'
        when fate.ending = 2 then now()
        else fate.timer
    end,
    attempt = case when fate.more then 1 else 0 end,
    not_before = null
from fate
where task.instance = any (array[fate.instance])
    and not fate.done
returning task.instance, fate.more
