-- Writes down a request in somebody's transaction; false when no active instance has the id. $1 id, $2 type, $3 name,
-- $4 data.
select {schema}.append_request($1::text, $2::text, $3::text, $4::bytea)
