-- Repeated starts and keys are found by reading all instances of their id.
set local lock_timeout = '2s';
lock table {schema}.instances, {schema}.idempotency_keys in access exclusive mode;
drop index {schema}.idempotency_keys_key;
drop index {schema}.instances_active;
drop index {schema}.instances_start;
