-- Requests that were not delivered are lost.
set local lock_timeout = '2s';
lock table {schema}.requests in access exclusive mode;
drop function {schema}.cancel(text);
drop function {schema}.signal(text, text, json);
drop function {schema}.start(text, json, text, text, timestamptz);
drop function {schema}.check_payload(text, bytea);
drop function {schema}.check_id(text);
drop function {schema}.check_name(text, text);
drop function {schema}.shown(text);
drop function {schema}.create_instance(text, text, text, bytea, uuid, timestamptz);
drop function {schema}.append_request(text, text, text, bytea);
drop table {schema}.requests;
drop function {schema}.announce_requests();
