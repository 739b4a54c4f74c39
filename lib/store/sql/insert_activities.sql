-- Schedules activities. $1 instances, $2 runs, $3 operations, $4 queues, $5 workflow queues, $6 names,
-- $7 arguments, $8 start_to_close, $9 attempts, $10 initial intervals, $11 coefficients, $12 maximum intervals,
-- $13 tokens of those that are claimed at once, else null, $14 their leases in milliseconds. Returns those.
with inserted as (
    insert into {schema}.activity_tasks (
        instance, run, operation, queue, workflow_queue, name, arguments, start_to_close, attempts,
        initial_interval, backoff_coefficient, maximum_interval, token, attempt, visible_at
    )
    select
        instance,
        run,
        operation,
        queue,
        workflow_queue,
        name,
        arguments,
        start_to_close,
        attempts,
        initial_interval,
        backoff_coefficient,
        maximum_interval,
        token,
        case when token is null then 0 else 1 end,
        case when token is null then now() else clock_timestamp() + lease * interval '1 millisecond' end
    from unnest(
        $1::bigint[], $2::integer[], $3::integer[], $4::text[], $5::text[], $6::text[], $7::bytea[],
        $8::bigint[], $9::integer[], $10::bigint[], $11::double precision[], $12::bigint[], $13::bigint[],
        $14::bigint[]
    ) as scheduled (
        instance, run, operation, queue, workflow_queue, name, arguments, start_to_close, attempts,
        initial_interval, backoff_coefficient, maximum_interval, token, lease
    )
    returning instance, operation, id, token
)
select instance, operation, id
from inserted
where token is not null
