-- Which of the released tasks are still held. Runs behind lock_orphans. $1 instances, $2 tokens.
select report.position, task.token is not distinct from report.token as held
from unnest($1::bigint[], $2::bigint[]) with ordinality as report (instance, token, position)
left join {schema}.workflow_tasks as task on task.instance = any (array[report.instance])
order by report.position
