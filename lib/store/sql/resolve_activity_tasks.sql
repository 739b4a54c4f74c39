-- What is left of activities whose completion has an unknown outcome: a row with the token was not committed. Runs
-- behind lock_orphans. $1 instances, $2 ids, $3 tokens.
select
    report.position,
    task.id is not null as present,
    task.token is not distinct from report.token as held
from unnest($1::bigint[], $2::bigint[], $3::bigint[])
    with ordinality as report (instance, id, token, position)
left join {schema}.activity_tasks as task on task.instance = any (array[report.instance]) and task.id = report.id
order by report.position
