-- Claims due activities: parameters and plan as claim_workflow_tasks. A row whose lease ended after its instance
-- had finished is swept: nobody waits for it.
with due as materialized (
    select task.instance, task.id, task.cancelled
    from unnest($1::text[], $2::smallint[], $6::timestamptz[]) as wanted (queue, priority, mark)
    cross join lateral (
        select instance, id, cancelled
        from {schema}.activity_tasks
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
swept as (
    delete from {schema}.activity_tasks as task
    using unnest(
        array(select instance from due where cancelled),
        array(select id from due where cancelled)
    ) as picked (instance, id)
    where task.instance = any (array[picked.instance])
        and task.id = picked.id
),
taken as (
    update {schema}.activity_tasks as task
    set token = $4::bigint,
        visible_at = clock_timestamp() + $5::bigint * interval '1 millisecond',
        attempt = task.attempt + 1
    from unnest(
        array(select instance from due where not cancelled),
        array(select id from due where not cancelled)
    ) with ordinality as picked (instance, id, position)
    where task.instance = any (array[picked.instance])
        and task.id = picked.id
    returning task.*, picked.position
)
select
    taken.id,
    taken.instance,
    instance.id,
    instance.holder,
    taken.workflow_queue,
    taken.queue,
    taken.name,
    taken.run,
    taken.operation,
    taken.attempt,
    taken.arguments,
    taken.start_to_close,
    taken.attempts,
    taken.initial_interval,
    taken.backoff_coefficient,
    taken.maximum_interval
from taken
join {schema}.instances as instance on instance.k = any (array[taken.instance])
order by taken.position
