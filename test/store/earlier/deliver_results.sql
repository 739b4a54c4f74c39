-- Puts results into the inboxes of their instances, numbered in the order of the batch. An instance that has
-- finished or is in a later run gets none. $1 instances, $2 runs, $3 types, $4 operations, $5 names, $6 data,
-- $7 tokens.
with delivered as materialized (
    select
        report.*,
        instance.arrived + row_number() over (partition by report.instance order by report.position) as number
    from unnest(
        $1::bigint[], $2::integer[], $3::text[], $4::integer[], $5::text[], $6::bytea[], $7::bigint[]
    ) with ordinality as report (instance, run, type, operation, name, data, token, position)
    join {schema}.instances as instance
        on instance.k = report.instance
        and instance.run = report.run
        and instance.ended = 0
),
stored as (
    insert into {schema}.inbox (instance, number, type, run, operation, name, data, token, at)
    select instance, number, type, run, operation, name, data, token, clock_timestamp()
    from delivered
),
counted as (
    select instance, count(*) as events
    from delivered
    group by instance
)
update {schema}.instances as instance
set arrived = instance.arrived + counted.events
from counted
where instance.k = counted.instance
