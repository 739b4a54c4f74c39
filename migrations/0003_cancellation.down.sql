-- Instances that were cancelled have failed from here on. Repeated starts and keys are found by reading all
-- instances of their id.
drop index {schema}.idempotency_keys_key;
drop index {schema}.instances_active;
drop index {schema}.instances_start;
comment on column {schema}.inbox.token is null;
alter table {schema}.workflow_tasks drop column not_before;
alter table {schema}.history drop column token;
alter table {schema}.instances drop column cancelled;
