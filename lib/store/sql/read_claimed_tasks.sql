-- The instances whose tasks this transaction claimed.
select
    instance.k,
    instance.id,
    instance.workflow,
    task.queue,
    instance.run,
    instance.history_length,
    instance.history_bytes,
    task.attempt,
    task.token,
    instance.last_token,
    instance.metadata
from unnest(nullif(current_setting('perdure.claimed', true), '')::bigint[])
    with ordinality as claimed (instance, position)
join {schema}.workflow_tasks as task on task.instance = any (array[claimed.instance])
join {schema}.instances as instance on instance.k = any (array[claimed.instance])
order by claimed.position
