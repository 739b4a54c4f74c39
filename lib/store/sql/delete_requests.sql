-- Takes the requests that are done with: their key is known, or no active instance has their id. One whose instance
-- this transaction came too late for, while another one of that id has begun, stays. Waits for nobody: whoever has locked
-- a row takes it. $1 keys of the requests. Returns those that are gone. Needs probes as deliver_signals does.
with done as materialized (
    select k
    from {schema}.requests as request
    where k = any ($1::bigint[])
        and (
            exists (
                select
                from (
                    select instance
                    from {schema}.idempotency_keys
                    where key = request.key
                    offset 0
                ) as used
                join {schema}.instances as earlier on earlier.k = any (array[used.instance])
                where earlier.id || '' = request.id
            )
            or not exists (
                select
                from {schema}.instances as active
                where active.id = request.id
                    and active.ended = 0
                offset 0
            )
        )
    order by k
    for update of request skip locked
)
delete from {schema}.requests
where k = any (array(select k from done))
returning k
