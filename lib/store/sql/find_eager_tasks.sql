-- Which of the workflow tasks that were claimed as results arrived are still held, for the read_claimed statements,
-- and the database's clock. $1 instances, $2 tokens.
select
    set_config('perdure.claimed', coalesce(array_agg(task.instance)::text, '{}'), true),
    clock_timestamp()
from unnest($1::bigint[], $2::bigint[]) as report (instance, token)
join {schema}.workflow_tasks as task on task.instance = any (array[report.instance]) and task.token = report.token
