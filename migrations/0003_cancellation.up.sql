-- Cancellation, and probes that stay cheap however often an id was used.
-- compatible_from: 0.1.0
--
-- Versions that know nothing of this go on beside those that do: columns have defaults, what they read keeps its
-- meaning, and what they do not write is not needed. An instance that was cancelled is one that failed to them.

-- Together with state 2: its cancellation ended it.
alter table {schema}.instances add column cancelled boolean not null default false;

-- Of the claim whose completion wrote this event and those behind it; null in all but the first of them. Says for
-- ever whether that completion was committed, also when the instance has long gone on.
alter table {schema}.history add column token bigint;

-- A task that was given back because of a problem is not tried before, whatever arrives.
alter table {schema}.workflow_tasks add column not_before timestamptz;

comment on column {schema}.inbox.token is 'no longer written; never read';

-- A start happens once. The id comes first for those who look for its instances.
create unique index instances_start on {schema}.instances (id, start_key);

-- Counts them without looking at those that are finished.
create index instances_active on {schema}.instances (k) where ended = 0;

-- Finds whether a key was used, however many instances its id has had.
create index idempotency_keys_key on {schema}.idempotency_keys (key);
