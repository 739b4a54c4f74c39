-- Gives tasks back. $1 instances, $2 delays in milliseconds, $3 claims to take off the attempts. What arrives
-- meanwhile does not shorten the delay: it would meet the same problem.
update {schema}.workflow_tasks as task
set token = null,
    visible_at = clock_timestamp() + report.delay * interval '1 millisecond',
    not_before = clock_timestamp() + report.delay * interval '1 millisecond',
    attempt = task.attempt - report.uncounted
from unnest($1::bigint[], $2::bigint[], $3::integer[]) as report (instance, delay, uncounted)
where task.instance = any (array[report.instance])
