-- Which of the completions with an unknown outcome were committed, and which of those go on. Runs behind
-- lock_orphans. The first event of a completion has its token for ever; one without events is known only until the
-- next. $1 instances, $2 tokens, $3 next tokens, $4 runs, $5 history lengths before the completion.
select
    report.position,
    instance.last_token is not distinct from report.token
        or event.token is not distinct from report.token as committed,
    task.token is not distinct from report.next_token as more
from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::integer[], $5::integer[])
    with ordinality as report (instance, token, next_token, run, history_length, position)
left join {schema}.instances as instance on instance.k = any (array[report.instance])
left join {schema}.workflow_tasks as task on task.instance = any (array[report.instance])
left join {schema}.history as event
    on event.instance = any (array[report.instance])
    and event.run = report.run
    and event.seq = report.history_length + 1
order by report.position
