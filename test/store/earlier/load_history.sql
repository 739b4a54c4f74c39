-- A run's history behind an event. $1 instance, $2 run, $3 seq of that event.
select type, operation, name, data, at, due
from {schema}.history
where instance = $1::bigint
    and run = $2::integer
    and seq > $3::integer
order by seq
