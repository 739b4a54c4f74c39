set local lock_timeout = '2s';
lock table {schema}.instances in access exclusive mode;
drop index {schema}.instances_active;
create index instances_active on {schema}.instances (k) where ended = 0;
