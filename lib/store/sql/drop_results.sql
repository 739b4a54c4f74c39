-- What nobody will look at: results that arrived too late for the run that waited for them and, when no other run
-- follows, everything. Else signals stay: the next run has them. $1 instances whose run ended, $2 those of them that
-- have finished.
with dropped as (
    delete from {schema}.inbox
    where instance = any ($1::bigint[])
        and (run is not null or instance = any ($2::bigint[]))
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
where instance.k = any (array[counted.instance])
