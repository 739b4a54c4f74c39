-- Which of the activities that were claimed as they were scheduled are still held. $1 instances, $2 tokens.
select task.instance, task.operation, task.id
from unnest($1::bigint[], $2::bigint[]) as report (instance, token)
join {schema}.activity_tasks as task on task.instance = any (array[report.instance]) and task.token = report.token
