-- Cancellation.
-- compatible_from: 0.1.0
--
-- Versions that know nothing of this go on beside those that do: columns have defaults, what they read keeps its
-- meaning, and what they do not write is not needed. An instance that was cancelled is one that failed to them.

-- Who waits for a table stops everybody behind it: not for long, but for longer than deadlock_timeout, after which an
-- autovacuum gives way. The tables are locked before anything is done, first the one that claims begin with, and for
-- no longer than it takes to add columns.
set local lock_timeout = '2s';
lock table {schema}.workflow_tasks, {schema}.instances, {schema}.history in access exclusive mode;

-- Together with state 2: its cancellation ended it.
alter table {schema}.instances add column cancelled boolean not null default false;

-- Of the claim whose completion wrote this event and those behind it; null in all but the first of them. Says for
-- ever whether that completion was committed, also when the instance has long gone on.
alter table {schema}.history add column token bigint;

-- A task that was given back because of a problem is not tried before, whatever arrives.
alter table {schema}.workflow_tasks add column not_before timestamptz;

comment on column {schema}.inbox.token is 'no longer written; never read';
