-- The tables of durable workflows.
-- compatible_from: 0.1.0
--
-- The row of an instance is its mutex: every transaction that changes anything of an instance locks it first.
-- No foreign keys: they would lock rows in an order of their own.

-- One row an instance, kept through all its runs.
create table {schema}.instances (
    k bigint generated always as identity primary key,
    id text not null,
    workflow text not null,                 -- of the current run
    queue text not null,
    priority smallint not null default 0,
    state smallint not null default 0,      -- 0 running, 1 completed, 2 failed
    run integer not null default 1,
    history_length integer not null,        -- events of the current run
    history_bytes bigint not null,          -- of their payloads
    arrived bigint not null default 0,      -- events that were ever put into the inbox: the last one's number
    consumed bigint not null default 0,     -- events that were taken out again
    last_token bigint,                      -- of the last completed workflow task
    ended bigint not null default 0,        -- 0 while active, then k
    start_key uuid not null,                -- a repeated start shows the same
    problem text,                           -- why it does not get on
    metadata bytea not null,
    created_at timestamptz not null default clock_timestamp(),
    finished_at timestamptz
) with (fillfactor = 80);                   -- room for updates that touch no index

-- Bounds an id to one active instance, and finds that one and the latest that finished.
create unique index instances_id on {schema}.instances (id, ended);

-- What happened, for ever: written once, never changed.
create table {schema}.history (
    instance bigint not null,
    run integer not null,
    seq integer not null,                   -- from 1 without gaps
    type text not null,
    operation integer not null,             -- 0: belongs to none
    name text not null,
    data bytea not null,
    at timestamptz not null,
    due timestamptz,                        -- of a started timer
    primary key (instance, run, seq)
);

-- What arrived and has not been looked at.
create table {schema}.inbox (
    instance bigint not null,
    number bigint not null,                 -- from 1 without gaps, in the order of the commits
    type text not null,
    run integer,                            -- of the activity; null: for whatever run it finds
    operation integer not null,
    name text not null,
    data bytea not null,
    token bigint,                           -- of the claim that produced it; null: a signal
    at timestamptz not null,
    primary key (instance, number)
) with (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000);

-- Keys of what was delivered, so that it is delivered once. They outlive the event.
create table {schema}.idempotency_keys (
    instance bigint not null,
    key uuid not null,
    primary key (instance, key)
);

-- At most one row an instance, there only while it has, or will have, something to do. `visible_at` says when it
-- may be claimed: now, when its earliest timer is due, or, while `token` is set, when its lease ends.
create table {schema}.workflow_tasks (
    instance bigint primary key,
    queue text not null,
    priority smallint not null default 0,
    visible_at timestamptz not null,
    token bigint,                           -- of the claim; null: free
    attempt integer not null default 0
) with (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000);

create index workflow_tasks_due on {schema}.workflow_tasks (queue, priority, visible_at);

-- One row an activity that is to be run. `visible_at` and `token` as above. The instance comes first in the key:
-- finishing an instance finds its activities without another index, which every claim would have to write.
create table {schema}.activity_tasks (
    instance bigint not null,
    id bigint generated always as identity,
    run integer not null,
    operation integer not null,
    queue text not null,
    priority smallint not null default 0,
    visible_at timestamptz not null,
    token bigint,
    attempt integer not null default 0,
    cancelled boolean not null default false, -- nobody waits for it any more
    workflow_queue text not null,
    name text not null,
    arguments bytea not null,
    start_to_close bigint not null,         -- milliseconds
    attempts integer not null,              -- 0: without limit
    initial_interval bigint not null,       -- milliseconds
    backoff_coefficient double precision not null,
    maximum_interval bigint not null,       -- milliseconds
    primary key (instance, id)
) with (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000);

create index activity_tasks_due on {schema}.activity_tasks (queue, priority, visible_at);

-- Stops a transaction when a batch has losers: a statement that merely returned no rows would let the rest of its
-- pipeline go on. DETAIL holds the losers' positions in the batch, from 1.
create function {schema}.fence(losers bigint[]) returns void
language plpgsql
as $$
begin
    if cardinality(losers) > 0 then
        raise exception using
            errcode = 'PD001',
            message = 'items of a batch do not hold what they claim to hold',
            detail = array_to_string(losers, ',');
    end if;
end
$$;
