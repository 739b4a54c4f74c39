#include "sleepers.hpp"

#include "fleet.hpp"
#include "interrupt.hpp"

#include <stdexcept>

namespace bench {

namespace {

/// The columns of a table but those that a copy has its own of.
std::string columns_but(session& admin, const std::string& table, const std::string& own)
{
    return admin.text(
        "select string_agg(quote_ident(attname), ', ' order by attnum) from pg_attribute where "
        "attrelid = 'perdure." +
        table + "'::regclass and attnum > 0 and not attisdropped and attname <> all ('{" + own +
        "}')");
}

} // namespace

void start_template(installation& on, const std::string& queue)
{
    role_setup setup;
    setup.dsn = on.worker_dsn();
    setup.on_queue(queue);
    const fleet workers{1, setup};
    setup.dsn = on.client_dsn();
    process client = start_client(setup);
    client.ask("sleeper");
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{30};
    // Asleep: its task waits for the timer, and nobody has it.
    while (on.admin().number(
               "select count(*) from perdure.workflow_tasks where token is null and visible_at > "
               "now() + interval '1 day'") == 0) {
        if (std::chrono::steady_clock::now() > deadline)
            throw std::runtime_error{"the instance that is to be copied does not fall asleep"};
        pause(std::chrono::milliseconds{20});
    }
}

void copy_sleepers(
    installation& on, int count, const std::string& first, const std::string& interval)
{
    session& admin = on.admin();
    const std::string instances = columns_but(admin, "instances", "k,id,start_key");
    const std::string history = columns_but(admin, "history", "instance,due");
    const std::string tasks = columns_but(admin, "workflow_tasks", "instance,visible_at");
    admin.execute(
        "with origin as ("
        "select * from perdure.instances where id = 'sleeper-0-0'), "
        "planned as (select n, " +
        first + " + (n - 1) * (" + interval + ") as due from generate_series(1, " +
        std::to_string(count) +
        ") as n), "
        "fresh as (insert into perdure.instances (id, start_key, " +
        instances +
        ") "
        "select 'sleeper-' || (extract(epoch from due) * 1000000)::bigint || '-' || "
        "gen_random_uuid(), "
        "gen_random_uuid(), " +
        instances +
        " from planned, origin order by n returning k, id), "
        "timed as materialized (select k, to_timestamp(split_part(id, '-', 2)::numeric / 1000000) "
        "as "
        "due from fresh), "
        "remembered as (insert into perdure.history (instance, due, " +
        history +
        ") "
        "select timed.k, case when origin_event.due is not null then timed.due end, " +
        history +
        " from timed, (select * from perdure.history where instance = (select k from origin)) as "
        "origin_event) "
        "insert into perdure.workflow_tasks (instance, visible_at, " +
        tasks +
        ") "
        "select timed.k, timed.due, " +
        tasks +
        " from timed, (select * from perdure.workflow_tasks "
        "where instance = (select k from origin)) as origin_task");
}

} // namespace bench
