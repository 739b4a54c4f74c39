-- As extend_workflow_tasks. $1 instances, $2 ids, $3 tokens, $4 lease in milliseconds.
with held as materialized (
    select task.instance, task.id, task.token
    from unnest($1::bigint[], $2::bigint[], $3::bigint[]) as lease (instance, id, token)
    join {schema}.activity_tasks as task
        on task.instance = lease.instance and task.id = lease.id and task.token = lease.token
    order by task.instance, task.id
    for update of task skip locked
),
extended as (
    update {schema}.activity_tasks as task
    set visible_at = clock_timestamp() + $4::bigint * interval '1 millisecond'
    from unnest(array(select instance from held), array(select id from held)) as picked (instance, id)
    where task.instance = picked.instance
        and task.id = picked.id
    returning task.instance, task.id, task.token
)
select
    lease.position,
    extended.id is not null as extended,
    task.id is not null as present
from unnest($1::bigint[], $2::bigint[], $3::bigint[])
    with ordinality as lease (instance, id, token, position)
left join extended
    on extended.instance = lease.instance and extended.id = lease.id and extended.token = lease.token
left join {schema}.activity_tasks as task
    on task.instance = lease.instance and task.id = lease.id and task.token = lease.token
order by lease.position
