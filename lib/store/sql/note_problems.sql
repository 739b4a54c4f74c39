-- Why instances do not get on. $1 instances, $2 problems.
update {schema}.instances as instance
set problem = report.problem
from unnest($1::bigint[], $2::text[]) as report (instance, problem)
where instance.k = any (array[report.instance])
    and instance.ended is not distinct from 0
