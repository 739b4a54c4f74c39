-- Takes out of the inbox exactly what was consumed, by number. $1 instances, $2 numbers.
delete from {schema}.inbox as event
using unnest($1::bigint[], $2::bigint[]) as consumed (instance, number)
where event.instance = any (array[consumed.instance])
    and event.number = consumed.number
