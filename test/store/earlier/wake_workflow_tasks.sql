-- Makes tasks of the locked instances that have something in their inbox. A task that is claimed stays as it is:
-- its holder sees the new events when it completes. `do update` and not `do nothing`, so that a claim under way is
-- waited for.
insert into {schema}.workflow_tasks (instance, queue, priority, visible_at)
select instance.k, instance.queue, instance.priority, now()
from unnest(nullif(current_setting('perdure.targets', true), '')::bigint[]) as target (instance)
join {schema}.instances as instance on instance.k = target.instance
where instance.ended = 0
    and instance.arrived > instance.consumed
order by instance.k
on conflict (instance) do update
set visible_at = excluded.visible_at
where workflow_tasks.token is null
    and workflow_tasks.visible_at > excluded.visible_at
