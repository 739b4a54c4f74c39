-- Settings of a transaction that only claims or extends: what a crash undoes is claimed again. Plans as in
-- durable_settings.
select
    set_config('perdure.engine', 'on', true),
    set_config('statement_timeout', '30s', true),
    set_config('plan_cache_mode', 'force_generic_plan', true),
    set_config('enable_seqscan', 'off', true),
    set_config('synchronous_commit', 'off', true)
