-- Announce tasks that come from elsewhere than this library, which announces its own after its commits and says
-- so by the local setting perdure.engine. One notification for each table and statement; the format is that of
-- perdure/store/announcement.hpp.
-- compatible_from: 0.1.0

create function {schema}.announce(member text, queues json) returns void
language plpgsql
as $$
declare
    payload text := json_build_object(member, queues)::text;
begin
    if queues is not null then
        if octet_length(payload) > 7900 then
            payload := '{"e":true}';
        end if;
        perform pg_notify({schema:literal}, payload);
    end if;
end
$$;

-- The instant of an announcement: null for now, else microseconds since 1970.
create function {schema}.announced_instant(instant timestamptz) returns bigint
language sql
as $$
    select case when instant > clock_timestamp() then (extract(epoch from instant) * 1000000)::bigint end
$$;

create function {schema}.announce_inserted() returns trigger
language plpgsql
as $$
begin
    perform {schema}.announce(tg_argv[0], (
        select json_object_agg(free.queue, {schema}.announced_instant(free.earliest))
        from (
            select queue, min(visible_at) as earliest
            from inserted
            where token is null
            group by queue
        ) as free
    ));
    return null;
end
$$;

-- Rows that are free, or may be claimed earlier than before. An insert that takes `on conflict do update` comes
-- here with those rows.
create function {schema}.announce_updated_workflow_tasks() returns trigger
language plpgsql
as $$
begin
    perform {schema}.announce('w', (
        select json_object_agg(moved.queue, {schema}.announced_instant(moved.earliest))
        from (
            select updated.queue, min(updated.visible_at) as earliest
            from updated
            join before using (instance)
            where updated.token is null or updated.visible_at < before.visible_at
            group by updated.queue
        ) as moved
    ));
    return null;
end
$$;

create function {schema}.announce_updated_activity_tasks() returns trigger
language plpgsql
as $$
begin
    perform {schema}.announce('a', (
        select json_object_agg(moved.queue, {schema}.announced_instant(moved.earliest))
        from (
            select updated.queue, min(updated.visible_at) as earliest
            from updated
            join before using (instance, id)
            where updated.token is null or updated.visible_at < before.visible_at
            group by updated.queue
        ) as moved
    ));
    return null;
end
$$;

create trigger announce_inserted
after insert on {schema}.workflow_tasks
referencing new table as inserted
for each statement
when (current_setting('perdure.engine', true) is distinct from 'on')
execute function {schema}.announce_inserted('w');

create trigger announce_updated
after update on {schema}.workflow_tasks
referencing old table as before new table as updated
for each statement
when (current_setting('perdure.engine', true) is distinct from 'on')
execute function {schema}.announce_updated_workflow_tasks();

create trigger announce_inserted
after insert on {schema}.activity_tasks
referencing new table as inserted
for each statement
when (current_setting('perdure.engine', true) is distinct from 'on')
execute function {schema}.announce_inserted('a');

create trigger announce_updated
after update on {schema}.activity_tasks
referencing old table as before new table as updated
for each statement
when (current_setting('perdure.engine', true) is distinct from 'on')
execute function {schema}.announce_updated_activity_tasks();
