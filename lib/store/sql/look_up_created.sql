-- What came of the starts, read behind them: this snapshot sees whoever they had to wait for. Stops the
-- transaction when an earlier start with one of the keys was committed, and its instance even finished, while
-- this one waited; sent again, it finds that one. $1 ids, $2 start keys. Per position: the instance, its run,
-- whether it is of this start, whether it was created just now.
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
)
select
    request.position,
    found.k,
    found.run,
    found.start_key = request.start_key as mine,
    found.k in (select k from created) as fresh
from request
cross join fenced
cross join lateral (
    select k, run, start_key
    from {schema}.instances as instance
    where instance.id = request.id
    order by (instance.start_key = request.start_key) desc, (instance.ended = 0) desc, instance.ended desc
    limit 1
) as found
order by request.position
