-- The histories of the claimed instances of which no task was ever completed: nobody can have them yet.
select
    event.instance,
    event.type,
    event.operation,
    event.name,
    event.data,
    event.at,
    event.due
from unnest(nullif(current_setting('perdure.claimed', true), '')::bigint[]) as claimed (instance)
join {schema}.instances as instance on instance.k = any (array[claimed.instance]) and instance.last_token is null
join {schema}.history as event on event.instance = any (array[claimed.instance]) and event.run = instance.run
order by claimed.instance, event.seq
