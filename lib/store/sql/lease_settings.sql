-- Settings of a transaction that only claims or extends: what a crash undoes is claimed again. Plans and
-- keepalives as in durable_settings.
select
    set_config('perdure.engine', 'on', true),
    set_config('statement_timeout', '30s', true),
    set_config('tcp_keepalives_idle', '10', true),
    set_config('tcp_keepalives_interval', '5', true),
    set_config('tcp_keepalives_count', '3', true),
    set_config('jit', 'off', true),
    set_config('plan_cache_mode', 'force_generic_plan', true),
    set_config('enable_seqscan', 'off', true),
    set_config('synchronous_commit', 'off', true)
