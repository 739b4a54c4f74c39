-- How instances ended: the last event of the last run of those that did. $1 keys. The limits, which limit nothing,
-- have each key probe the indexes, also by a plan that was made while the tables were small.
select wanted.k, instance.state, event.data
from unnest($1::bigint[]) as wanted (k)
cross join lateral (
    select state, run, history_length
    from {schema}.instances
    where k = wanted.k
        and ended <> 0
    limit 1
) as instance
cross join lateral (
    select data
    from {schema}.history
    where instance = wanted.k
        and run = instance.run
        and seq = instance.history_length
    limit 1
) as event
