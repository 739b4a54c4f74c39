-- The process that completed an instance's last task, and may have its live coroutine: it looks first for what
-- arrives. Null: nobody is known to.
-- compatible_from: 0.1.0
--
-- Versions before leave it as it is. It is a hint, and only decides who looks first. Waiting for those who write: as
-- 0003.
set local lock_timeout = '2s';
lock table {schema}.instances in access exclusive mode;
alter table {schema}.instances add column holder integer;
