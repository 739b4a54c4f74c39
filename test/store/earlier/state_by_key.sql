-- $1 key.
select
    instance.k,
    instance.id,
    instance.workflow,
    instance.queue,
    instance.state,
    instance.run,
    instance.history_length,
    instance.history_bytes,
    instance.arrived - instance.consumed,
    coalesce(instance.problem, ''),
    instance.created_at,
    instance.finished_at,
    instance.metadata
from {schema}.instances as instance
where instance.k = $1::bigint
