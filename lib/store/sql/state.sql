-- What is known of an instance: the one with this key; the active one of an id or, without one, the last that
-- finished. Each branch probes one index. $1 key or null, $2 id or null. Columns as list_instances.
select
    instance.k,
    instance.id,
    instance.workflow,
    instance.queue,
    case when instance.cancelled then 3 else instance.state end::smallint,
    instance.run,
    instance.history_length,
    instance.history_bytes,
    instance.arrived - instance.consumed,
    coalesce(instance.problem, ''),
    instance.created_at,
    instance.finished_at,
    instance.metadata
from (
    (
        select *
        from {schema}.instances
        where k = $1::bigint
    )
    union all
    (
        select *
        from {schema}.instances
        where id = $2::text
            and ended = 0
    )
    union all
    (
        select *
        from {schema}.instances
        where id = $2::text
        order by ended desc
        limit 1
    )
) as instance
order by instance.ended = 0 desc
limit 1
