-- How instances ended: the last event of the last run of those that did. $1 keys.
select instance.k, instance.state, event.data
from unnest($1::bigint[]) as wanted (k)
join {schema}.instances as instance on instance.k = wanted.k and instance.ended <> 0
join {schema}.history as event
    on event.instance = instance.k
    and event.run = instance.run
    and event.seq = instance.history_length
