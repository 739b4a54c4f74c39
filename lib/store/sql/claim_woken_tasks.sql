-- Makes tasks of instances in whose inbox a result was put just now, claimed by who brought it. A task that is claimed
-- stays as it is: its holder sees the new events when it completes. So does one that was given back with a delay. `do
-- update` and not `do nothing`, so that a claim under way is waited for. $1 instances, each once, $2 tokens, $3 leases
-- in milliseconds.
with woken as (
    insert into {schema}.workflow_tasks as task (instance, queue, priority, visible_at, token, attempt)
    select
        instance.k,
        instance.queue,
        instance.priority,
        clock_timestamp() + wanted.lease * interval '1 millisecond',
        wanted.token,
        1
    from unnest($1::bigint[], $2::bigint[], $3::bigint[]) as wanted (instance, token, lease)
    join {schema}.instances as instance on instance.k = any (array[wanted.instance])
    where instance.ended is not distinct from 0
        and instance.arrived > instance.consumed
    order by wanted.instance
    on conflict (instance) do update
    set token = excluded.token,
        visible_at = excluded.visible_at,
        attempt = task.attempt + 1
    where task.token is null
        and coalesce(task.not_before, '-infinity') <= now()
    returning instance
)
select set_config('perdure.claimed', coalesce(array_agg(instance)::text, '{}'), true)
from woken
