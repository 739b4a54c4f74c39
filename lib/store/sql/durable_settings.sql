-- Settings of a transaction that changes instances. All of them end with it. A commit that reports work is
-- durable even where the database's default is not. Plans are kept: planning anew for each batch costs as much as
-- running it, and comes to the same plan.
select
    set_config('perdure.engine', 'on', true),
    set_config('lock_timeout', '250ms', true),
    set_config('statement_timeout', '30s', true),
    set_config('plan_cache_mode', 'force_generic_plan', true),
    case when current_setting('synchronous_commit') = 'off'
        then set_config('synchronous_commit', 'on', true)
    end
