-- Probes that stay cheap however often an id was used.
-- compatible_from: 0.1.0
--
-- While they are built the tables can be read, but not written. Waiting for those who write: as 0003.
set local lock_timeout = '2s';
lock table {schema}.instances, {schema}.idempotency_keys in share mode;

-- A start happens once. The id comes first for those who look for its instances.
create unique index instances_start on {schema}.instances (id, start_key);

-- Counts them without looking at those that are finished.
create index instances_active on {schema}.instances (k) where ended = 0;

-- Finds whether a key was used, however many instances its id has had.
create index idempotency_keys_key on {schema}.idempotency_keys (key);
