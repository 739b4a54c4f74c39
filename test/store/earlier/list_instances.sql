-- A page of instances, newest first. $1 state, $2 workflow, $3 queue, each null for any; $4 key of the last
-- instance of the page before, or null; $5 most rows.
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
where ($1::smallint is null or instance.state = $1::smallint)
    and ($2::text is null or instance.workflow = $2::text)
    and ($3::text is null or instance.queue = $3::text)
    and instance.k < coalesce($4::bigint, 9223372036854775807)
order by instance.k desc
limit $5::integer
