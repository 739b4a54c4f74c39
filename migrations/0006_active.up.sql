-- The index that counts active instances is of no use to whoever looks for one of them, but a plan that was made while
-- the table was small could choose it, and read all of it ever after. A condition of its own keeps it for counting.
-- compatible_from: 0.1.0
--
-- Versions before count without an index. Waiting for those who write: as 0003.
set local lock_timeout = '2s';
lock table {schema}.instances in access exclusive mode;
drop index {schema}.instances_active;
create index instances_active on {schema}.instances (k) where ended + 0 = 0;
