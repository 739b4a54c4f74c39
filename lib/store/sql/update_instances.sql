-- What workflow tasks came to. $1 instances, $2 tokens, $3 runs and $4 history lengths from now on, $5 bytes
-- added to the history, $6 numbers of consumed events, $7 states, $8 workflows of runs that begin, $9 who keeps their
-- live coroutines. State 3 is stored as 2 and a mark: to earlier versions a cancelled instance has failed.
update {schema}.instances as instance
set last_token = report.token,
    run = report.run,
    history_length = report.history_length,
    history_bytes = report.bytes + case when report.run = instance.run then instance.history_bytes else 0 end,
    consumed = instance.consumed + report.consumed,
    state = least(report.state, 2),
    cancelled = report.state = 3,
    ended = case when report.state = 0 then 0 else instance.k end,
    finished_at = case when report.state = 0 then null else clock_timestamp() end,
    workflow = coalesce(report.workflow, instance.workflow),
    problem = null,
    holder = report.holder
from unnest(
    $1::bigint[], $2::bigint[], $3::integer[], $4::integer[], $5::bigint[], $6::bigint[], $7::smallint[],
    $8::text[], $9::integer[]
) as report (instance, token, run, history_length, bytes, consumed, state, workflow, holder)
where instance.k = any (array[report.instance])
