-- The active instance of an id or, without one, the last that finished: two probes of one index. $1 id.
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
from (
    (
        select *
        from {schema}.instances
        where id = $1::text
            and ended = 0
    )
    union all
    (
        select *
        from {schema}.instances
        where id = $1::text
        order by ended desc
        limit 1
    )
) as instance
order by instance.ended = 0 desc
limit 1
