-- Settings of a round trip that only reads: a read that takes longer would hold up the server's cleaning, too.
select
    set_config('statement_timeout', '30s', true),
    set_config('jit', 'off', true)
