-- Makes tasks as wake_workflow_tasks does, and claims some of them for who brought the results that wake them: where
-- nothing was committed since the live coroutine that he has, and not too much waits to be read before the commit.
-- What is given back with a delay is not claimed, nor is what somebody holds, but for a lease that has ended. $1
-- instances, each once, $2 tokens, $3 tokens of the commits at which the live coroutines stand, $4 leases in
-- milliseconds.
--
-- Needs: probes of instances by key, an insert that meets its own key. The clock, and not the transaction's start: it
-- may have waited for the instance.
with woken as (
    insert into {schema}.workflow_tasks as task (instance, queue, priority, visible_at, token, attempt)
    select
        instance.k,
        instance.queue,
        instance.priority,
        case when claim.token is null then now() else clock_timestamp() + claim.lease * interval '1 millisecond' end,
        claim.token,
        case when claim.token is null then 0 else 1 end
    from unnest(nullif(current_setting('perdure.targets', true), '')::bigint[]) as target (instance)
    join {schema}.instances as instance on instance.k = any (array[target.instance])
    left join unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[]) as claim (instance, token, live, lease)
        on claim.instance = any (array[target.instance])
        and claim.live = instance.last_token
        and instance.arrived - instance.consumed <= 100
    where instance.ended is not distinct from 0
        and instance.arrived > instance.consumed
    order by target.instance
    on conflict (instance) do update
    set token = excluded.token,
        visible_at = case
            when excluded.token is null then greatest(excluded.visible_at, task.not_before)
            else excluded.visible_at
        end,
        attempt = task.attempt + excluded.attempt
    where case
        when excluded.token is null
            then task.token is null and task.visible_at > greatest(excluded.visible_at, task.not_before)
        when task.token is null then coalesce(task.not_before, '-infinity') <= clock_timestamp()
        else task.visible_at <= clock_timestamp()
    end
    returning instance, token
)
select
    set_config(
        'perdure.claimed', coalesce(array_agg(instance) filter (where token is not null)::text, '{}'), true
    ),
    clock_timestamp()
from woken
