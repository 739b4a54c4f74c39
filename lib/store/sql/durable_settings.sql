-- Settings of a transaction that changes instances. All of them end with it. A commit that reports work is
-- durable even where the database's default is not. Plans are kept: planning anew for each batch costs as much as
-- running it, and comes to the same plan. But a plan that was made while a table was small would read all of it, and
-- still do so when it has grown: every statement has an index to probe. Reading all of that in its order would serve
-- as well while there is little, so no statement asks for an order, or joins by a condition that an order is of use for:
-- hence `= any (array[…])` instead of `=`, and subqueries with an offset, which skips nothing. Nor does one offer a
-- condition that another index could serve: hence `is not distinct from 0`.
--
-- Whoever is cut off by the network in the middle of the transaction leaves its locks behind, and no time-out of the
-- server applies between two messages: keepalives end it within half a minute.
-- The database's clock comes first.
select
    clock_timestamp(),
    set_config('perdure.engine', 'on', true),
    set_config('lock_timeout', '250ms', true),
    set_config('statement_timeout', '30s', true),
    set_config('tcp_keepalives_idle', '10', true),
    set_config('tcp_keepalives_interval', '5', true),
    set_config('tcp_keepalives_count', '3', true),
    set_config('jit', 'off', true),
    set_config('plan_cache_mode', 'force_generic_plan', true),
    set_config('enable_seqscan', 'off', true),
    case when current_setting('synchronous_commit') = 'off'
        then set_config('synchronous_commit', 'on', true)
    end
