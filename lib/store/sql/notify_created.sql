-- As notify, for starts, unless none of them created anything. $1 channel, $2 payload, $3 ids, $4 start keys,
-- $5 as its $3.
select case when $5::boolean then set_config('synchronous_commit', 'off', true) end, pg_notify($1, $2)
where exists (
    select
    from unnest($3::text[], $4::uuid[]) as request (id, start_key)
    join {schema}.instances as instance
        on instance.id = request.id
        and instance.start_key = request.start_key
)
