-- Removes those of the locked instances that have no history left, with all else there is of them. Returns their keys.
with emptied as materialized (
    select target.k
    from unnest(nullif(current_setting('perdure.targets', true), '')::bigint[]) as target (k)
    where not exists (
        select
        from {schema}.history
        where instance = target.k
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
)
delete from {schema}.instances
where k = any (array(select k from emptied))
returning k
