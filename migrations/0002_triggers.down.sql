-- Tasks that come from elsewhere are found by the safety poll then.
drop trigger announce_updated on {schema}.activity_tasks;
drop trigger announce_inserted on {schema}.activity_tasks;
drop trigger announce_updated on {schema}.workflow_tasks;
drop trigger announce_inserted on {schema}.workflow_tasks;
drop function {schema}.announce_updated_activity_tasks();
drop function {schema}.announce_updated_workflow_tasks();
drop function {schema}.announce_inserted();
drop function {schema}.announced_instant(timestamptz);
drop function {schema}.announce(text, json);
