-- Which of the completions with an unknown outcome were committed, and which of those go on. Runs behind
-- lock_orphans. $1 instances, $2 tokens, $3 next tokens.
select
    report.position,
    instance.last_token is not distinct from report.token as committed,
    task.token is not distinct from report.next_token as more
from unnest($1::bigint[], $2::bigint[], $3::bigint[])
    with ordinality as report (instance, token, next_token, position)
left join {schema}.instances as instance on instance.k = report.instance
left join {schema}.workflow_tasks as task on task.instance = report.instance
order by report.position
