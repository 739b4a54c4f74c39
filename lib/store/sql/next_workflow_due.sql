-- When to look again: the earliest visible_at of each queue, however long past, null for those without tasks; and
-- the database's clock, now and when the claim looked. $1, $2 pairs of queue and priority.
select wanted.queue, head.visible_at, clock_timestamp(), now()
from unnest($1::text[], $2::smallint[]) as wanted (queue, priority)
left join lateral (
    select visible_at
    from {schema}.workflow_tasks
    where queue = wanted.queue
        and priority = wanted.priority
    order by visible_at
    limit 1
) as head on true
