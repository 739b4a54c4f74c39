-- Extends leases without waiting for anybody. $1 instances, $2 tokens, $3 lease in milliseconds. For each
-- position: whether its row was free to be changed and still had the token, and whether it has it at all.
with held as materialized (
    select task.instance, task.token
    from unnest($1::bigint[], $2::bigint[]) as lease (instance, token)
    join {schema}.workflow_tasks as task on task.instance = lease.instance and task.token = lease.token
    order by task.instance
    for update of task skip locked
),
extended as (
    update {schema}.workflow_tasks as task
    set visible_at = clock_timestamp() + $3::bigint * interval '1 millisecond'
    from unnest(array(select instance from held)) as picked (instance)
    where task.instance = picked.instance
    returning task.instance, task.token
)
select
    lease.position,
    extended.instance is not null as extended,
    task.instance is not null as present
from unnest($1::bigint[], $2::bigint[]) with ordinality as lease (instance, token, position)
left join extended on extended.instance = lease.instance and extended.token = lease.token
left join {schema}.workflow_tasks as task on task.instance = lease.instance and task.token = lease.token
order by lease.position
