-- The database's clock, and the earliest visible_at of every queue that has tasks; one row of nulls but for the
-- clock when there is none. Each recursion steps to the next (queue, priority) of
-- the index, so the cost is that of as many index probes as there are pairs.
with recursive workflow_heads as (
    (
        select queue, priority, visible_at
        from {schema}.workflow_tasks
        order by queue, priority, visible_at
        limit 1
    )
    union all
    select next.*
    from workflow_heads as head
    cross join lateral (
        select queue, priority, visible_at
        from {schema}.workflow_tasks as task
        where (task.queue, task.priority) > (head.queue, head.priority)
        order by queue, priority, visible_at
        limit 1
    ) as next
),
activity_heads as (
    (
        select queue, priority, visible_at
        from {schema}.activity_tasks
        order by queue, priority, visible_at
        limit 1
    )
    union all
    select next.*
    from activity_heads as head
    cross join lateral (
        select queue, priority, visible_at
        from {schema}.activity_tasks as task
        where (task.queue, task.priority) > (head.queue, head.priority)
        order by queue, priority, visible_at
        limit 1
    ) as next
),
heads as (
    select false as activities, queue, min(visible_at) as visible_at
    from workflow_heads
    group by queue
    union all
    select true, queue, min(visible_at)
    from activity_heads
    group by queue
)
select clock_timestamp(), heads.activities, heads.queue, heads.visible_at
from (select) as always
left join heads on true
