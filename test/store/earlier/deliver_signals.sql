-- Puts signals into the inboxes of the locked instances, numbered in the order of the batch, and remembers their
-- keys. $1 ids, $2 names, $3 data, $4 keys. Per position: 0 delivered, 1 repeated, 2 not found; and the queue of
-- the instance.
with target as materialized (
    select k, id, queue, arrived
    from unnest(nullif(current_setting('perdure.targets', true), '')::bigint[]) as locked (k)
    join {schema}.instances as instance using (k)
    where ended = 0
),
answered as materialized (
    select
        request.*,
        target.k,
        target.queue,
        target.arrived,
        exists (
            select
            from {schema}.instances as earlier
            join {schema}.idempotency_keys as used on used.instance = earlier.k and used.key = request.key
            where earlier.id = request.id
        ) as known,
        row_number() over (partition by request.id, request.key order by request.position) > 1 as again
    from unnest($1::text[], $2::text[], $3::bytea[], $4::uuid[])
        with ordinality as request (id, name, data, key, position)
    left join target using (id)
),
delivered as materialized (
    select *, arrived + row_number() over (partition by k order by position) as number
    from answered
    where k is not null
        and not known
        and not again
),
remembered as (
    insert into {schema}.idempotency_keys (instance, key)
    select k, key
    from delivered
),
stored as (
    insert into {schema}.inbox (instance, number, type, operation, name, data, at)
    select k, number, 'signal_received', 0, name, data, clock_timestamp()
    from delivered
),
counted as (
    update {schema}.instances as instance
    set arrived = instance.arrived + signals.events
    from (
        select k, count(*) as events
        from delivered
        group by k
    ) as signals
    where instance.k = signals.k
)
select
    position,
    case
        when known then 1
        when k is null then 2
        when again then 1
        else 0
    end,
    queue
from answered
order by position
