-- Removes the tables, and with them every instance.
drop function {schema}.fence(bigint[]);
drop table {schema}.activity_tasks;
drop table {schema}.workflow_tasks;
drop table {schema}.idempotency_keys;
drop table {schema}.inbox;
drop table {schema}.history;
drop table {schema}.instances;
