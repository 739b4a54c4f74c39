-- Stops the transaction unless every reported activity is held and reported once. $1 instances, $2 ids, $3 tokens.
with held as materialized (
    select report.position, task.instance, task.id
    from unnest($1::bigint[], $2::bigint[], $3::bigint[])
        with ordinality as report (instance, id, token, position)
    join {schema}.activity_tasks as task
        on task.instance = any (array[report.instance]) and task.id = report.id and task.token = report.token
    order by report.instance, report.id
    for update of task
)
select {schema}.fence(array_agg(position order by position))
from generate_series(1, cardinality($1::bigint[])) as position
where position not in (select min(position) from held group by instance, id)
having count(*) > 0
