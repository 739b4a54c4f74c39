-- As notify, for signals: only the database knows which queues their instances are on, and who should look first
-- (nobody, unless that is known of all of a queue). $1 channel, $2 payload to which they are added, $3 ids of the
-- instances, $4 as its $3.
with signalled as (
    select
        jsonb_object_agg(queue, null) as queues,
        jsonb_object_agg(queue, holders) filter (where known) as holders
    from (
        select queue, jsonb_agg(distinct holder) as holders, bool_and(holder is not null) as known
        from {schema}.instances
        where id = any ($3::text[])
            and ended = 0
        group by queue
    ) as each_queue
),
message as (
    select (
        $2::jsonb
        || jsonb_build_object('w', queues)
        || case when holders is null then '{}' else jsonb_build_object('h', holders) end
    )::text as payload
    from signalled
    where queues is not null
)
select
    case when $4::boolean then set_config('synchronous_commit', 'off', true) end,
    pg_notify($1, case when octet_length(payload) > 7900 then '{"e":true}' else payload end)
from message
