-- The events that wait for the instances this transaction claimed. A statement of its own, later than the claim:
-- an event that is not seen here was committed later, and its sender found the task claimed.
select
    event.instance,
    event.number,
    event.type,
    event.operation,
    event.name,
    event.data,
    event.at
from unnest(nullif(current_setting('perdure.claimed', true), '')::bigint[]) as claimed (instance)
join {schema}.inbox as event on event.instance = any (array[claimed.instance])
order by claimed.instance, event.number
