-- Waits out a transaction whose outcome is unknown, which may still run and holds these rows if it has changed
-- anything. $1 keys.
select k
from {schema}.instances
where k = any ($1::bigint[])
order by k
for update
