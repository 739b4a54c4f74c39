-- Runs behind a commit, in a transaction of its own: the lock that every NOTIFY of the cluster takes is not held
-- while a disk writes. $1 channel, $2 payload.
select set_config('synchronous_commit', 'off', true), pg_notify($1, $2)
