-- Claims due tasks. $1, $2 pairs of queue and priority, looked at in order; $3 most rows; $4 token;
-- $5 lease in milliseconds; $6 marks, before which none of these queues has a row: the index keeps what was deleted
-- for as long as the oldest transaction could see it, and each claim would read past all of it. Null: no mark.
--
-- Needs: for each pair an index scan of workflow_tasks_due that stops after $3 rows, never a sort; the update by
-- primary key. The arrays in between keep the planner from guessing how many rows are due.
with due as materialized (
    select task.instance
    from unnest($1::text[], $2::smallint[], $6::timestamptz[]) as wanted (queue, priority, mark)
    cross join lateral (
        select instance
        from {schema}.workflow_tasks
        where queue = wanted.queue
            and priority = wanted.priority
            and visible_at >= coalesce(wanted.mark, '-infinity')
            and visible_at <= now()
        order by visible_at
        limit $3::integer
        for update skip locked
    ) as task
    limit $3::integer
),
taken as (
    update {schema}.workflow_tasks as task
    set token = $4::bigint,
        visible_at = clock_timestamp() + $5::bigint * interval '1 millisecond',
        attempt = task.attempt + 1
    from unnest(array(select instance from due)) with ordinality as picked (instance, position)
    where task.instance = any (array[picked.instance])
    returning task.instance, picked.position
)
select set_config('perdure.claimed', coalesce(array_agg(instance order by position)::text, '{}'), true)
from taken
