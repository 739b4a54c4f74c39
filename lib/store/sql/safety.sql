-- What the listener's session reads every now and then. $1 keys of the topics that this process looks at, $2 its
-- number as a member. Rows: the database's clock; whether there are requests; whether activities, the queue, and the
-- earliest visible_at, for every queue that has tasks; key and member, for all who look at these topics.
--
-- Each recursion steps to the next (queue, priority) of the index, so the cost is that of as many index probes as
-- there are pairs. Who looks at a topic holds a shared advisory lock, which writes nothing and goes with the session;
-- those of this session are brought in line with $1 by the way: a statement that nobody reads the outcome of would
-- not be carried out.
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
),
locks as materialized (
    select classid::bigint as key, objid::bigint as member, pid
    from pg_locks
    where locktype = 'advisory'
        and objsubid = 2
        and database = (
            select datid
            from pg_stat_get_activity(pg_backend_pid())
        )
),
taken as materialized (
    select pg_try_advisory_lock_shared(wanted.key, $2::integer)
    from unnest($1::integer[]) as wanted (key)
    where not exists (
        select
        from locks
        where locks.key = wanted.key
            and locks.member = $2::integer
            and locks.pid = pg_backend_pid()
    )
),
given_up as materialized (
    select pg_advisory_unlock_shared(key::integer, member::integer)
    from locks
    where member = $2::integer
        and pid = pg_backend_pid()
        and key <> all ($1::integer[])
)
select
    clock_timestamp(),
    (
        select k
        from {schema}.requests
        order by k
        limit 1
    ) is not null,
    heads.activities,
    heads.queue,
    heads.visible_at,
    null::bigint,
    null::bigint
from (
    select (select count(*) from taken) + (select count(*) from given_up) as changes
) as always
left join heads on true
where always.changes >= 0
union all
select clock_timestamp(), null, null, null, null, key, member
from locks
where key = any ($1::integer[])
