-- Results that arrived too late for the run that waited for them. Signals stay: the next run has them.
-- $1 instances whose run ended.
with dropped as (
    delete from {schema}.inbox
    where instance = any ($1::bigint[])
        and run is not null
    returning instance
),
counted as (
    select instance, count(*) as events
    from dropped
    group by instance
)
update {schema}.instances as instance
set consumed = instance.consumed + counted.events
from counted
where instance.k = counted.instance
