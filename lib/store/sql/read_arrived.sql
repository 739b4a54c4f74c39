-- What arrived for tasks that stay claimed under their next token. $1 instances, $2 next tokens.
select
    event.instance,
    event.number,
    event.type,
    event.operation,
    event.name,
    event.data,
    event.at
from unnest($1::bigint[], $2::bigint[]) as report (instance, token)
join {schema}.workflow_tasks as task on task.instance = any (array[report.instance]) and task.token = report.token
join {schema}.inbox as event on event.instance = any (array[report.instance])
order by report.instance, event.number
