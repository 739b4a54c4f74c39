-- Appends events. $1 instances, $2 runs, $3 seqs, $4 types, $5 operations, $6 names, $7 data, $8 at, $9 due.
insert into {schema}.history (instance, run, seq, type, operation, name, data, at, due)
select *
from unnest(
    $1::bigint[], $2::integer[], $3::integer[], $4::text[], $5::integer[], $6::text[], $7::bytea[],
    $8::timestamptz[], $9::timestamptz[]
)
