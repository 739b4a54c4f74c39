-- What came of the starts, read behind them: this snapshot sees whoever they had to wait for. Stops the
-- transaction when an earlier start with one of the keys was committed, and its instance even finished, while
-- this one waited; sent again, it finds that one. $1 ids, $2 start keys. Per position: the instance, its run,
-- whether it is of this start, whether it was created just now.
--
-- An earlier start's instance is locked, though nothing is changed of it: a transaction that only reads does not
-- wait for a synchronous standby when it commits, and would say that it is there before it is on the standby.
with request as (
    select *
    from unnest($1::text[], $2::uuid[]) with ordinality as request (id, start_key, position)
),
twins as (
    select request.position
    from request
    join {schema}.instances as instance
        on instance.id = request.id and instance.start_key = request.start_key
    group by request.position
    having count(*) > 1
),
created as materialized (
    select unnest(nullif(current_setting('perdure.created', true), '')::bigint[]) as k
),
fenced as materialized (
    select {schema}.fence(array_agg(position order by position))
    from twins
),
found as materialized (
    select request.position, latest.*, latest.start_key = request.start_key as mine
    from request
    cross join fenced
    cross join lateral (
        select k, run, start_key
        from {schema}.instances as instance
        where instance.id = request.id
        order by (instance.start_key = request.start_key) desc, (instance.ended = 0) desc, instance.ended desc
        limit 1
    ) as latest
),
earlier as materialized (
    select k
    from {schema}.instances
    where k = any (array(select k from found where mine and k not in (select k from created)))
    order by k
    for key share
)
select
    found.position,
    found.k,
    found.run,
    found.mine,
    found.k in (select k from created) as fresh
from found
cross join (select count(*) from earlier) as locked
order by found.position
