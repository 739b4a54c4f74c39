-- Creates an instance in somebody's transaction; null when an active one has the id. $1 id, $2 workflow, $3 queue,
-- $4 arguments, $5 start key.
select {schema}.create_instance($1::text, $2::text, $3::text, $4::bytea, $5::uuid, null)
