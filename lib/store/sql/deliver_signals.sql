-- Puts signals and requests to cancel into the inboxes of the locked instances, numbered in the order of the
-- batch, and remembers their keys. $1 ids, $2 types, $3 names, $4 data, $5 keys. Per position: 0 delivered,
-- 1 repeated, 2 not found; the queue of the instance; and who should look first.
--
-- Needs: a key is looked for by itself, and of the few places where it was used the one that is of this id. The
-- offset, which skips nothing, and the empty text keep the planner from the instances of the id, which may be many.
with target as materialized (
    select k, id, queue, holder, arrived
    from {schema}.instances
    where k = any (nullif(current_setting('perdure.targets', true), '')::bigint[])
        and ended is not distinct from 0
),
answered as materialized (
    select
        request.*,
        target.k,
        target.queue,
        target.holder,
        target.arrived,
        exists (
            select
            from (
                select instance
                from {schema}.idempotency_keys
                where key = request.key
                offset 0
            ) as used
            join {schema}.instances as earlier on earlier.k = any (array[used.instance])
            where earlier.id || '' = request.id
        ) as known,
        row_number() over (partition by request.id, request.key order by request.position) > 1 as again
    from unnest($1::text[], $2::text[], $3::text[], $4::bytea[], $5::uuid[])
        with ordinality as request (id, type, name, data, key, position)
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
    select k, number, type, 0, name, data, clock_timestamp()
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
    where instance.k = any (array[signals.k])
)
select
    position,
    case
        when known then 1
        when k is null then 2
        when again then 1
        else 0
    end,
    queue,
    holder
from answered
order by position
