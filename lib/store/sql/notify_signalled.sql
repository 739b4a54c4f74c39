-- As notify, for signals: only the database knows which queues their instances are on. $1 channel, $2 payload to
-- which the queues are added, $3 ids of the instances, $4 as its $3.
with signalled as (
    select jsonb_object_agg(queue, null) as queues
    from (
        select distinct queue
        from {schema}.instances
        where id = any ($3::text[])
            and ended = 0
    ) as distinct_queues
),
message as (
    select ($2::jsonb || jsonb_build_object('w', queues))::text as payload
    from signalled
    where queues is not null
)
select
    case when $4::boolean then set_config('synchronous_commit', 'off', true) end,
    pg_notify($1, case when octet_length(payload) > 7900 then '{"e":true}' else payload end)
from message
