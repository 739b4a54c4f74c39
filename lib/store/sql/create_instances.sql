-- Creates instances, each with the first event of its history and a task; of several with one id the first of
-- the batch that does not repeat an earlier start. New rows are made in the order of their ids, so that two batches
-- wait for each other in one order. Returns which were created, by their positions; what stood in the way of the
-- others, an active instance or an earlier start with the key, is found by look_up_created. $1 ids, $2 workflows,
-- $3 queues, $4 arguments, $5 metadata, $6 start keys.
with request as (
    select distinct on (id) *
    from unnest($1::text[], $2::text[], $3::text[], $4::bytea[], $5::bytea[], $6::uuid[])
        with ordinality as request (id, workflow, queue, arguments, metadata, start_key, position)
    where not exists (
        select
        from {schema}.instances as earlier
        where earlier.id = request.id
            and earlier.start_key = request.start_key
        offset 0 -- probes, as durable_settings has it
    )
    order by id, position
),
fresh as (
    insert into {schema}.instances (id, workflow, queue, start_key, metadata, history_length, history_bytes)
    select id, workflow, queue, start_key, metadata, 1, octet_length(arguments)
    from request
    order by id
    on conflict do nothing
    returning k, id, workflow, queue, priority
),
started as (
    insert into {schema}.history (instance, run, seq, type, operation, name, data, at)
    select fresh.k, 1, 1, 'workflow_started', 0, fresh.workflow, request.arguments, clock_timestamp()
    from fresh
    join request using (id)
),
queued as (
    insert into {schema}.workflow_tasks (instance, queue, priority, visible_at)
    select k, queue, priority, now()
    from fresh
)
select request.position, fresh.k
from fresh
join request using (id)
