-- Stops the transaction unless every reported activity is held. $1 instances, $2 ids, $3 tokens.
with held as materialized (
    select task.instance, task.id, task.token
    from unnest($1::bigint[], $2::bigint[]) as report (instance, id)
    join {schema}.activity_tasks as task on task.instance = report.instance and task.id = report.id
    order by task.instance, task.id
    for update of task
)
select {schema}.fence(array_agg(report.position order by report.position))
from unnest($1::bigint[], $2::bigint[], $3::bigint[])
    with ordinality as report (instance, id, token, position)
left join held on held.instance = report.instance and held.id = report.id
where held.token is distinct from report.token
