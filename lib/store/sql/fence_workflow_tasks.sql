-- Stops the transaction unless every reported task is held: its row has the token, its instance is active and,
-- where they are given, in the run and at the history length that were reported. $1 instances, $2 tokens,
-- $3 runs, $4 history lengths.
with held as materialized (
    select report.position
    from unnest($1::bigint[], $2::bigint[]) with ordinality as report (instance, token, position)
    join {schema}.workflow_tasks as task on task.instance = any (array[report.instance]) and task.token = report.token
    order by report.instance
    for update of task
)
select {schema}.fence(array_agg(report.position order by report.position))
from unnest($1::bigint[], $3::integer[], $4::integer[])
    with ordinality as report (instance, run, history_length, position)
left join {schema}.instances as instance on instance.k = any (array[report.instance])
where report.position not in (select position from held)
    or instance.ended is distinct from 0
    or instance.run <> report.run
    or instance.history_length <> report.history_length
having count(*) > 0
