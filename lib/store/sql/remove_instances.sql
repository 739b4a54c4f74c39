-- Removes those of the locked instances that have no history left, with all else there is of them. Requests to an id
-- that has an active instance are for that one. Returns their keys.
with emptied as materialized (
    select target.k
    from unnest(nullif(current_setting('perdure.targets', true), '')::bigint[]) as target (k)
    where not exists (
        select
        from {schema}.history
        where instance = target.k
        offset 0 -- probes, as durable_settings has it
    )
),
activities as (
    delete from {schema}.activity_tasks
    where instance = any (array(select k from emptied))
),
events as (
    delete from {schema}.inbox
    where instance = any (array(select k from emptied))
),
keys as (
    delete from {schema}.idempotency_keys
    where instance = any (array(select k from emptied))
),
undelivered as materialized (
    select request.k
    from {schema}.requests as request
    where request.id = any (array(
            select instance.id
            from emptied
            join {schema}.instances as instance on instance.k = any (array[emptied.k])
        ))
        and not exists (
            select
            from {schema}.instances as active
            where active.id = request.id
                and active.ended = 0
            offset 0
        )
    order by request.k + 0
    for update of request skip locked
),
requests as (
    delete from {schema}.requests
    where k = any (array(select k from undelivered))
)
delete from {schema}.instances
where k = any (array(select k from emptied))
returning k
