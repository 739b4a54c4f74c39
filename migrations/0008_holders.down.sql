set local lock_timeout = '2s';
lock table {schema}.instances in access exclusive mode;
alter table {schema}.instances drop column holder;
