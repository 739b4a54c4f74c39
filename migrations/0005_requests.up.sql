-- Starts, signals and cancellations from SQL, inside the caller's own transaction.
-- compatible_from: 0.1.0
--
-- Nothing that is there is changed or locked: workers of earlier versions go on, and leave the requests to later ones.
--
-- A start inserts what the library inserts, all of it new. A signal must not change its instance: the lock on the
-- instance's row would last as long as the caller's transaction, and everybody would wait for that. So it is written
-- down as a request, and a worker delivers it when the transaction has been committed.

-- What is to be delivered: an event, to the active instance of an id, once for each key.
create table {schema}.requests (
    k bigint generated always as identity primary key, -- in the order in which a transaction wrote them
    id text not null,
    type text not null check (type in ('signal_received', 'cancel_requested')),
    name text not null,
    data bytea not null,
    key uuid not null default gen_random_uuid(),
    at timestamptz not null default clock_timestamp()
) with (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000);

-- Finds the requests to an instance that come before another.
create index requests_id on {schema}.requests (id, k);

create function {schema}.announce_requests() returns trigger
language plpgsql
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if exists (select from written) then
        perform {schema}.announce('r', '{"":null}');
    end if;
    return null;
end
$$;

create trigger announce_inserted
after insert on {schema}.requests
referencing new table as written
for each statement
when (current_setting('perdure.engine', true) is distinct from 'on')
execute function {schema}.announce_requests();

-- Writes down a request; false when no active instance has the id. Looks without a lock.
create function {schema}.append_request(instance_id text, event text, event_name text, event_data bytea) returns boolean
language plpgsql
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    insert into {schema}.requests (id, type, name, data)
    select instance_id, event, event_name, event_data
    where exists (
        select
        from {schema}.instances as instance
        where instance.id = instance_id
            and instance.ended = 0
    );
    return found;
end
$$;

-- Creates an instance and returns its key; null when an active one has the id. Whatever arrives before its time
-- waits for that, too.
create function {schema}.create_instance(
    instance_id text, workflow_name text, queue_name text, arguments bytea, key uuid, at timestamptz
) returns bigint
language plpgsql
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    created bigint;
begin
    insert into {schema}.instances (id, workflow, queue, start_key, metadata, history_length, history_bytes)
    values (instance_id, workflow_name, queue_name, create_instance.key, '', 1, octet_length(arguments))
    on conflict do nothing
    returning k into created;
    if created is null then
        return null;
    end if;
    insert into {schema}.history (instance, run, seq, type, operation, name, data, at)
    values (created, 1, 1, 'workflow_started', 0, workflow_name, arguments, clock_timestamp());
    insert into {schema}.workflow_tasks (instance, queue, visible_at, not_before)
    values (
        created,
        queue_name,
        greatest(create_instance.at, now()),
        case when create_instance.at > now() then create_instance.at end
    );
    return created;
end
$$;

-- A text that may be long or hold anything, for a message.
create function {schema}.shown(value text) returns text
language sql
immutable
security invoker
set search_path = pg_catalog, pg_temp
as $$
    select '"' || regexp_replace(left(value, 60) collate "C", '[^ -~]', '?', 'g')
        || case when length(value) > 60 then '..."' else '"' end
$$;

create function {schema}.check_name(what text, name text) returns void
language plpgsql
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if name is null then
        raise exception using
            errcode = 'null_value_not_allowed',
            message = format('the name of a %s must not be null: give one', what);
    end if;
    if name collate "C" !~ '^[A-Za-z0-9_./-]{1,100}$' then
        raise exception using
            errcode = 'invalid_parameter_value',
            message = format(
                '%s %s is no valid name: it must be 1 to 100 of the characters A-Z a-z 0-9 - _ . /',
                what, {schema}.shown(name)
            );
    end if;
end
$$;

create function {schema}.check_id(id text) returns void
language plpgsql
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    size integer := octet_length(convert_to(id, 'UTF8'));
begin
    if id is null then
        raise exception using
            errcode = 'null_value_not_allowed',
            message = 'an instance''s id must not be null: give that of an active instance';
    end if;
    if size = 0 then
        raise exception using
            errcode = 'invalid_parameter_value',
            message = 'an instance''s id must not be empty: give 1 to 255 bytes';
    end if;
    if size > 255 then
        raise exception using
            errcode = 'invalid_parameter_value',
            message = format('the id %s is %s bytes long: the limit is 255', {schema}.shown(id), size);
    end if;
    if id collate "C" ~ E'[\x01-\x1f\x7f]' then
        raise exception using
            errcode = 'invalid_parameter_value',
            message = format('the id %s has control characters: give one without', {schema}.shown(id));
    end if;
end
$$;

create function {schema}.check_payload(what text, data bytea) returns void
language plpgsql
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if octet_length(data) > 2097152 then
        raise exception using
            errcode = 'program_limit_exceeded',
            message = format(
                '%s: %s bytes are over the limit of 2097152; store what is large elsewhere and pass a reference to it',
                what, octet_length(data)
            );
    end if;
end
$$;

-- Starts an instance of a workflow and returns its id. Payloads stay the text that they are: numbers keep all digits.
create function {schema}.start(
    name text,
    arguments json default '[]',
    id text default null,
    queue text default 'default',
    at timestamptz default null
) returns text
language plpgsql
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    instance_id text := coalesce(start.id, gen_random_uuid()::text);
    queue_name text := coalesce(start.queue, 'default');
    payload bytea := convert_to(start.arguments::text, 'UTF8');
begin
    perform {schema}.check_name('workflow', start.name);
    perform {schema}.check_name('queue', queue_name);
    perform {schema}.check_id(instance_id);
    if payload is null or json_typeof(start.arguments) <> 'array' then
        raise exception using
            errcode = 'invalid_parameter_value',
            message = format(
                'the arguments of workflow %s are not a JSON array but %s: give one element for each parameter, '
                    'as json_build_array does',
                start.name, coalesce(json_typeof(start.arguments), 'a null of SQL')
            );
    end if;
    perform {schema}.check_payload(format('the arguments of workflow %s', start.name), payload);
    if not isfinite(start.at) or start.at >= '10000-01-01 00:00Z' then
        raise exception using
            errcode = 'invalid_parameter_value',
            message = format('workflow %s cannot start at %s: give an instant before the year 10000', start.name, start.at);
    end if;
    if {schema}.create_instance(instance_id, start.name, queue_name, payload, gen_random_uuid(), start.at) is null then
        raise exception using
            errcode = 'unique_violation',
            message = format('an active instance has the id "%s": give another id, or signal that instance', instance_id);
    end if;
    return instance_id;
end
$$;

-- Sends a signal to the active instance of an id.
create function {schema}.signal(id text, name text, value json default 'null') returns void
language plpgsql
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    payload bytea := convert_to(coalesce(signal.value::text, 'null'), 'UTF8');
begin
    perform {schema}.check_id(signal.id);
    perform {schema}.check_name('signal', signal.name);
    perform {schema}.check_payload(format('the value of signal %s', signal.name), payload);
    if not {schema}.append_request(signal.id, 'signal_received', signal.name, payload) then
        raise exception using
            errcode = 'no_data_found',
            message = format('no active instance has the id "%s": it has ended, or was never started', signal.id);
    end if;
end
$$;

-- Asks the active instance of an id to end.
create function {schema}.cancel(id text) returns void
language plpgsql
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    perform {schema}.check_id(cancel.id);
    if not {schema}.append_request(cancel.id, 'cancel_requested', '', 'null') then
        raise exception using
            errcode = 'no_data_found',
            message = format('no active instance has the id "%s": it has ended, or was never started', cancel.id);
    end if;
end
$$;
