-- Makes tasks of the locked instances that have something in their inbox. A task that is claimed stays as it is:
-- its holder sees the new events when it completes. One that was given back with a delay keeps that. `do update`
-- and not `do nothing`, so that a claim under way is waited for.
insert into {schema}.workflow_tasks (instance, queue, priority, visible_at)
select instance.k, instance.queue, instance.priority, now()
from unnest(nullif(current_setting('perdure.targets', true), '')::bigint[]) as target (instance)
join {schema}.instances as instance on instance.k = any (array[target.instance])
where instance.ended is not distinct from 0
    and instance.arrived > instance.consumed
order by target.instance
on conflict (instance) do update
set visible_at = greatest(excluded.visible_at, workflow_tasks.not_before)
where workflow_tasks.token is null
    and workflow_tasks.visible_at > greatest(excluded.visible_at, workflow_tasks.not_before)
