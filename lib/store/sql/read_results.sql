-- How instances ended: the last event of the last run of those that did; nulls for those that are not there any
-- more. $1 keys. The limits, which limit nothing, have each key probe the indexes, also by a plan that was made
-- while the tables were small.
select wanted.k, case when instance.cancelled then 3 else instance.state end::smallint, event.data
from unnest($1::bigint[]) as wanted (k)
left join lateral (
    select state, cancelled, ended, run, history_length
    from {schema}.instances
    where k = wanted.k
    limit 1
) as instance on true
left join lateral (
    select data
    from {schema}.history
    where instance = wanted.k
        and run = instance.run
        and seq = instance.history_length
        and instance.ended <> 0
    limit 1
) as event on true
where instance.ended is null
    or event.data is not null
