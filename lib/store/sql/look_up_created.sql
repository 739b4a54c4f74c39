-- What came of the starts, read behind them: this snapshot sees whoever they had to wait for. $1 ids, $2 start
-- keys. Per position: the instance that this start created, now or earlier, or else the one that stood in its way;
-- its run; whether it is of this start. Each way of finding it probes an index.
--
-- An earlier start's instance is locked, though nothing is changed of it: a transaction that only reads does not
-- wait for a synchronous standby when it commits, and would say that it is there before it is on the standby.
with request as (
    select *
    from unnest($1::text[], $2::uuid[]) with ordinality as request (id, start_key, position)
),
found as materialized (
    select request.position, nearest.k, nearest.run, nearest.rank = 1 as mine
    from request
    cross join lateral (
        (
            select 1 as rank, k, run
            from {schema}.instances
            where id = request.id
                and start_key = request.start_key
            limit 1
        )
        union all
        (
            select 2, k, run
            from {schema}.instances
            where id = request.id
                and ended = 0
            limit 1
        )
        union all
        (
            select 3, k, run
            from {schema}.instances
            where id = request.id
            order by ended desc
            limit 1
        )
        order by rank
        limit 1
    ) as nearest
),
earlier as materialized (
    select k
    from {schema}.instances
    where k = any (array(select k from found where mine))
    order by k
    for key share
)
select
    found.position,
    found.k,
    found.run,
    found.mine
from found
cross join (select count(*) from earlier) as locked
order by found.position
