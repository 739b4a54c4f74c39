-- Tells others of a commit. $3: behind it, in a transaction of its own, so that the lock that every NOTIFY of the
-- cluster takes is not held while a disk writes; else within it. $1 channel, $2 payload.
select case when $3::boolean then set_config('synchronous_commit', 'off', true) end, pg_notify($1, $2)
