-- As extend_workflow_tasks; and whether the activity is no longer wanted. $1 instances, $2 ids, $3 tokens,
-- $4 lease in milliseconds.
with held as materialized (
    select task.instance, task.id, lease.position
    from unnest($1::bigint[], $2::bigint[], $3::bigint[])
        with ordinality as lease (instance, id, token, position)
    join {schema}.activity_tasks as task
        on task.instance = any (array[lease.instance]) and task.id = lease.id and task.token = lease.token
    order by lease.instance, lease.id
    for update of task skip locked
),
extended as (
    update {schema}.activity_tasks as task
    set visible_at = clock_timestamp() + $4::bigint * interval '1 millisecond'
    from unnest(
        array(select instance from held), array(select id from held), array(select position from held)
    ) as picked (instance, id, position)
    where task.instance = any (array[picked.instance])
        and task.id = picked.id
    returning picked.position
)
select
    lease.position,
    lease.position in (select position from extended) as extended,
    task.id is not null as present,
    coalesce(task.cancelled, false)
from unnest($1::bigint[], $2::bigint[], $3::bigint[])
    with ordinality as lease (instance, id, token, position)
left join {schema}.activity_tasks as task
    on task.instance = any (array[lease.instance]) and task.id = lease.id and task.token = lease.token
order by lease.position
