-- When to look again: the earliest visible_at, however long past. $1, $2 pairs of queue and priority.
select min(head.visible_at), clock_timestamp()
from unnest($1::text[], $2::smallint[]) as wanted (queue, priority)
cross join lateral (
    select visible_at
    from {schema}.workflow_tasks
    where queue = wanted.queue
        and priority = wanted.priority
    order by visible_at
    limit 1
) as head
