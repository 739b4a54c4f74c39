-- When to look again: the earliest visible_at of each queue from its mark on, however long past, null for those
-- without tasks; and the database's clock, now and when the claim looked. $1, $2, $3 queues, priorities and marks, as
-- the claim's.
select wanted.queue, head.visible_at, clock_timestamp(), now()
from unnest($1::text[], $2::smallint[], $3::timestamptz[]) as wanted (queue, priority, mark)
left join lateral (
    select visible_at
    from {schema}.activity_tasks
    where queue = wanted.queue
        and priority = wanted.priority
        and visible_at >= coalesce(wanted.mark, '-infinity')
    order by visible_at
    limit 1
) as head on true
