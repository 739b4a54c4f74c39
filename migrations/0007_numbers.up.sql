-- Announcements by triggers get a number, the same for all of a transaction: it decides who looks first, and names them
-- when they were served.
-- compatible_from: 0.1.0
create or replace function {schema}.announce(member text, queues json) returns void
language plpgsql
as $$
declare
    number bigint := (pg_current_xact_id()::text::numeric % 4294967296)::bigint;
    payload text := json_build_object(member, queues, 'o', number)::text;
begin
    if queues is not null then
        if octet_length(payload) > 7900 then
            payload := '{"e":true}';
        end if;
        perform pg_notify({schema:literal}, payload);
    end if;
end
$$;
