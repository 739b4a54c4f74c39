-- Instances that were cancelled have failed from here on.
set local lock_timeout = '2s';
lock table {schema}.workflow_tasks, {schema}.instances, {schema}.history in access exclusive mode;
comment on column {schema}.inbox.token is null;
alter table {schema}.workflow_tasks drop column not_before;
alter table {schema}.history drop column token;
alter table {schema}.instances drop column cancelled;
