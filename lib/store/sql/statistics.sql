-- How many instances are active, counted in an index that holds no others, by the condition of that index; and the
-- tasks of each queue, from tables that hold nothing finished. One row at least; its queue is null when there are no
-- tasks.
with active as (
    select count(*) as instances
    from {schema}.instances
    where ended + 0 = 0
),
tasks as (
    select queue, count(*) as workflows, 0 as activities
    from {schema}.workflow_tasks
    where token is not null
        or visible_at <= now()
    group by queue
    union all
    select queue, 0, count(*)
    from {schema}.activity_tasks
    where not cancelled
    group by queue
)
select active.instances, tasks.queue, sum(tasks.workflows)::bigint, sum(tasks.activities)::bigint
from active
left join tasks on true
group by active.instances, tasks.queue
order by tasks.queue
