-- Stops the transaction unless every reported task is held: its row has the token, its instance is active and,
-- where they are given, in the run and at the history length that were reported. $1 instances, $2 tokens,
-- $3 runs, $4 history lengths.
with held as materialized (
    select instance, token
    from {schema}.workflow_tasks
    where instance = any ($1::bigint[])
    order by instance
    for update
)
select {schema}.fence(array_agg(report.position order by report.position))
from unnest($1::bigint[], $2::bigint[], $3::integer[], $4::integer[])
    with ordinality as report (instance, token, run, history_length, position)
left join held on held.instance = report.instance
left join {schema}.instances as instance on instance.k = report.instance
where held.token is distinct from report.token
    or instance.ended is distinct from 0
    or instance.run <> report.run
    or instance.history_length <> report.history_length
