-- Whether the finished instances of ids may be removed. $1 ids. Per position: 0 yes, 1 there are none, 2 an instance
-- of the id is active, 3 a worker still has an activity of one of them. A claim counts while its lease lasts: behind
-- it nobody comes back. Needs probes of the indexes for each id, and the activities of all instances of the id.
select
    request.position,
    case
        when exists (
            select
            from {schema}.instances
            where id = request.id
                and ended = 0
        ) then 2
        when not exists (
            select
            from {schema}.instances
            where id = request.id
        ) then 1
        when exists (
            select
            from {schema}.instances as instance
            join {schema}.activity_tasks as task on task.instance = instance.k
            where instance.id = request.id
                and task.token is not null
                and task.visible_at > now()
        ) then 3
        else 0
    end
from unnest($1::text[]) with ordinality as request (id, position)
order by request.position
