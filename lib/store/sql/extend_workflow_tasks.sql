-- Extends leases without waiting for anybody. $1 instances, $2 tokens, $3 lease in milliseconds. For each
-- position: whether its lease was extended, and whether its row still has the token. The subquery in the list of
-- columns is hashed; a join would be guessed to be small and compare everything with everything.
with held as materialized (
    select task.instance, lease.position
    from unnest($1::bigint[], $2::bigint[]) with ordinality as lease (instance, token, position)
    join {schema}.workflow_tasks as task on task.instance = any (array[lease.instance]) and task.token = lease.token
    order by lease.instance
    for update of task skip locked
),
extended as (
    update {schema}.workflow_tasks as task
    set visible_at = clock_timestamp() + $3::bigint * interval '1 millisecond'
    from unnest(array(select instance from held), array(select position from held))
        as picked (instance, position)
    where task.instance = any (array[picked.instance])
    returning picked.position
)
select
    lease.position,
    lease.position in (select position from extended) as extended,
    task.instance is not null as present
from unnest($1::bigint[], $2::bigint[]) with ordinality as lease (instance, token, position)
left join {schema}.workflow_tasks as task on task.instance = any (array[lease.instance]) and task.token = lease.token
order by lease.position
