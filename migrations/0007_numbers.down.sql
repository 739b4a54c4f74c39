create or replace function {schema}.announce(member text, queues json) returns void
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
