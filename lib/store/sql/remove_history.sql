-- Takes the oldest events of the locked instances. The last event of an instance is its result, so that who reads
-- that finds it until the instance itself goes. $1 most events.
delete from {schema}.history as event
using (
    select oldest.*
    from unnest(nullif(current_setting('perdure.targets', true), '')::bigint[])
        with ordinality as target (k, position)
    cross join lateral (
        select instance, run, seq
        from {schema}.history
        where instance = target.k
        order by run, seq
        limit $1::integer
    ) as oldest
    order by target.position
    limit $1::integer
) as oldest
where event.instance = any (array[oldest.instance])
    and event.run = oldest.run
    and event.seq = oldest.seq
