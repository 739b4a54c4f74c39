// Plans that are made before the tables have grown: connections keep them.
#include "workbench.hpp"

#include <doctest/doctest.h>

using namespace perdure;
using namespace perdure::store;

namespace {

/// `execute planned` with a null for each parameter of the statement.
std::string execution_of(std::string_view sql)
{
    std::string arguments;
    for (int number = 1; number < 100; ++number) {
        if (sql.find("$" + std::to_string(number)) == sql.npos) break;
        arguments += arguments.empty() ? "(null" : ", null";
    }
    return "execute planned" + (arguments.empty() ? "" : arguments + ")");
}

/// What the tables held when a plan was made.
struct filling
{
    int rows;
    bool analyzed;
};

/// As many instances, each with a task and an activity, some history and an event that waits.
void fill(workbench& bench, const filling& with)
{
    bench.execute("truncate {schema}.instances, {schema}.workflow_tasks, {schema}.activity_tasks, "
                  "{schema}.history, {schema}.inbox");
    bench.execute(
        "insert into {schema}.instances (id, workflow, queue, start_key, metadata, "
        "history_length, history_bytes) select 'i' || n, 'w', 'q', gen_random_uuid(), '', 1, 1 "
        "from generate_series(1, " +
        std::to_string(with.rows) + ") as n");
    bench.execute("insert into {schema}.workflow_tasks (instance, queue, visible_at) "
                  "select k, 'q', now() from {schema}.instances");
    bench.execute(
        "insert into {schema}.activity_tasks (instance, run, operation, queue, "
        "visible_at, workflow_queue, name, arguments, start_to_close, attempts, "
        "initial_interval, backoff_coefficient, maximum_interval) "
        "select k, 1, 1, 'q', now(), 'q', 'a', '', 1, 1, 1, 1, 1 from {schema}.instances");
    bench.execute("insert into {schema}.history (instance, run, seq, type, operation, name, data, "
                  "at) select k, 1, s, 't', 0, '', '', now() "
                  "from {schema}.instances, generate_series(1, 8) as s");
    bench.execute("insert into {schema}.inbox (instance, number, type, operation, name, data, at) "
                  "select k, 1, 't', 0, '', '', now() from {schema}.instances");
    if (!with.analyzed) return;
    for (const char* const table :
         {"instances", "workflow_tasks", "activity_tasks", "history", "inbox", "idempotency_keys",
          "requests"})
        bench.execute("vacuum analyze {schema}." + std::string{table});
}

/// The plan of one of the store's statements, with nulls for its parameters.
pg::result plan_of(
    workbench& bench, by_hand& session, const installation& on, const std::string& name)
{
    const std::string sql = read_sql(name);
    REQUIRE_FALSE(sql.empty());
    bench.wait(session("prepare planned as " + sql));
    pg::result plan = bench.wait(session("explain (costs off) " + execution_of(on.sql(sql).sql())));
    bench.wait(session("deallocate planned"));
    return plan;
}

std::string text_of(const pg::result& plan)
{
    std::string text;
    for (const auto& [line] : plan.rows<std::string>()) text += line + "\n";
    return text;
}

/// The lines of a plan that read an index from end to end, or a table.
std::string endless_scans(const pg::result& plan)
{
    std::string found;
    std::string scan;
    const auto report = [&] {
        if (!scan.empty()) found += scan + "\n";
        scan.clear();
    };
    for (const auto& [line] : plan.rows<std::string>()) {
        if (line.find("Index Cond") != line.npos && line.find("Cond: (ended = 0)") == line.npos)
            scan.clear();
        report();
        if (line.find("Seq Scan") != line.npos || line.find("Index Scan") != line.npos ||
            line.find("Index Only Scan") != line.npos)
            scan = line;
    }
    report();
    return found;
}

} // namespace

TEST_CASE("a plan probes indexes, however little there was when it was made")
{
    const installation on;
    workbench bench{on};
    by_hand session = bench.wait(by_hand::connect(on));
    const auto check_plan = [&](const std::string& name, const std::string& settings) {
        CAPTURE(name);
        bench.wait(session("begin"));
        bench.wait(session(read_sql(settings)));
        const pg::result plan = plan_of(bench, session, on, name);
        bench.wait(session("rollback"));
        CAPTURE(text_of(plan));
        CHECK(endless_scans(plan) == "");
    };
    for (const filling& with :
         {filling{0, false}, filling{0, true}, filling{1, true}, filling{3, true},
          filling{20, true}, filling{300, true}}) {
        CAPTURE(with.rows);
        CAPTURE(with.analyzed);
        fill(bench, with);
        for (const char* const name :
             {"find_locked", "claim_activity_tasks", "claim_workflow_tasks",
              "extend_activity_tasks", "extend_workflow_tasks", "next_activity_due",
              "next_workflow_due", "read_claimed_history", "read_claimed_inbox",
              "read_claimed_tasks"})
            check_plan(name, "lease_settings");
        for (const char* const name :
             {"create_instances",      "claim_eager_tasks",      "find_eager_tasks",
              "delete_consumed",       "deliver_results",        "deliver_signals",
              "drop_results",          "end_activities",         "delete_requests",
              "fence_requests",        "fence_activity_tasks",   "fence_workflow_tasks",
              "lock_instances",        "lock_orphans",           "lock_removable",
              "lock_signalled",        "look_up_created",        "note_problems",
              "read_arrived",          "read_eager_activities",  "release_workflow_tasks",
              "remove_history",        "remove_instances",       "resolve_activity_tasks",
              "resolve_released",      "resolve_workflow_tasks", "settle_activity_tasks",
              "settle_workflow_tasks", "update_instances",       "wake_workflow_tasks"})
            check_plan(name, "durable_settings");
    }
}

TEST_CASE("reading does not read all of a table that was empty when its plan was made")
{
    const installation on;
    workbench bench{on};
    by_hand session = bench.wait(by_hand::connect(on));
    for (const std::string name :
         {"load_history", "look_up_removable", "notify_signalled", "read_requests", "read_results",
          "safety", "state"}) {
        CAPTURE(name);
        const std::string text = text_of(plan_of(bench, session, on, name));
        CAPTURE(text);
        CHECK(text.find("Seq Scan") == text.npos);
    }
}

namespace {

/// How many pages an execution of the statement with these arguments touches, under these settings;
/// what it changes is undone.
std::int64_t pages_touched(
    workbench& bench, const installation& on, std::string_view settings, const std::string& before,
    const std::string& name, const std::string& arguments)
{
    std::int64_t pages = 0;
    bench.run([&]() -> asio::awaitable<void> {
        by_hand session = co_await by_hand::connect(on);
        co_await session("begin");
        co_await session(read_sql(std::string{settings}));
        co_await session("prepare planned as " + read_sql(name));
        if (!before.empty()) co_await session(before);
        const pg::result plan = co_await session(
            "explain (analyze, buffers, costs off) execute planned(" + arguments + ")");
        for (const auto& [line] : plan.rows<std::string>()) {
            const auto at = line.find("shared hit=");
            if (at == line.npos) continue;
            pages = std::stoll(line.substr(at + 11)); // the whole statement's come first
            break;
        }
        co_await session("rollback");
    });
    return pages;
}

/// Instances of the id `one` that have finished, each with the key of a signal.
void finish_many(workbench& bench, int count)
{
    bench.execute(
        "with made as (insert into {schema}.instances (k, id, workflow, queue, history_length, "
        "history_bytes, start_key, metadata, ended, state) overriding system value "
        "select 1000 + i, 'one', 'w', 'q', 1, 0, gen_random_uuid(), '', 1000 + i, 1 "
        "from generate_series(1, " +
        std::to_string(count) +
        ") as i returning k) "
        "insert into {schema}.idempotency_keys (instance, key) "
        "select k, gen_random_uuid() from made");
}

} // namespace

TEST_CASE("starting and signalling cost no more when the id has had a hundred thousand instances")
{
    const installation on;
    workbench bench{on};
    bench.start("one"); // its statements were planned when there was nothing
    finish_many(bench, 100'000);
    const std::string lock = "select set_config('perdure.targets', '{1}', true)";
    const auto check_pages = [&](const std::string& before, const std::string& name,
                                 const std::string& arguments) {
        for (const bool analyzed : {false, true}) {
            if (analyzed) bench.execute("analyze {schema}.instances, {schema}.idempotency_keys");
            CAPTURE(name);
            CAPTURE(analyzed);
            CHECK(pages_touched(bench, on, "durable_settings", before, name, arguments) < 100);
        }
    };
    check_pages(
        {}, "create_instances",
        "array['one', 'two'], array['w', 'w'], array['q', 'q'], array['', '']::bytea[], "
        "array['', '']::bytea[], array[gen_random_uuid(), gen_random_uuid()]");
    check_pages(
        {}, "look_up_created",
        "array['one', 'two'], "
        "array[gen_random_uuid(), gen_random_uuid()]");
    check_pages({}, "lock_signalled", "array['one', 'two']");
    check_pages(
        lock, "deliver_signals",
        "array['one', 'two'], array['signal_received', 'signal_received'], array['s', 's'], "
        "array['', '']::bytea[], array[gen_random_uuid(), gen_random_uuid()]");
    check_pages({}, "find_locked", "array[1], array['one']");
    check_pages({}, "lock_removable", "'one', 10");
    CHECK(pages_touched(bench, on, "read_settings", {}, "state", "null, 'one'") < 100);
}

TEST_CASE("a claim that begins at its mark does not read past what was deleted before")
{
    const installation on;
    workbench bench{on};
    pg::connection pinning = bench.connect(); // sees all of it, so that nothing is cleaned up
    bench.wait(pinning.execute(on.sql("begin isolation level repeatable read")));
    bench.wait(pinning.execute(on.sql("select from {schema}.workflow_tasks")));
    bench.execute("insert into {schema}.workflow_tasks (instance, queue, visible_at) "
                  "select n, 'q', now() - interval '1 hour' + n * interval '1 ms' "
                  "from generate_series(1, 50000) as n");
    bench.execute(
        "insert into {schema}.activity_tasks (instance, run, operation, queue, visible_at, "
        "workflow_queue, name, arguments, start_to_close, attempts, initial_interval, "
        "backoff_coefficient, maximum_interval) "
        "select instance, 1, 1, queue, visible_at, 'q', 'a', '', 1, 1, 1, 1, 1 "
        "from {schema}.workflow_tasks");
    bench.execute("delete from {schema}.workflow_tasks where instance < 50000");
    bench.execute("delete from {schema}.activity_tasks where instance < 50000");
    const std::string mark = "array[now() - interval '1 hour' + interval '49 seconds']";
    for (const std::string table : {"workflow", "activity"}) {
        CAPTURE(table);
        const auto pages = [&](const std::string& name, const std::string& arguments) {
            return pages_touched(bench, on, "lease_settings", {}, name, arguments);
        };
        const std::string claim = "array['q'], array[0], 10, 1, 10000, ";
        const std::string due = "array['q'], array[0], ";
        CHECK(pages("claim_" + table + "_tasks", claim + "null") > 200);
        CHECK(pages("claim_" + table + "_tasks", claim + mark) < 50);
        CHECK(pages("next_" + table + "_due", due + "null") > 200);
        CHECK(pages("next_" + table + "_due", due + mark) < 50);
    }
}

TEST_CASE("statistics do not look at what is finished")
{
    const installation on;
    workbench bench{on};
    bench.start("two");
    finish_many(bench, 100'000);
    bench.execute("analyze {schema}.instances");
    bench.run([&]() -> asio::awaitable<void> {
        by_hand session = co_await by_hand::connect(on);
        const pg::result plan = co_await session("explain (costs off) " + read_sql("statistics"));
        const std::string text = text_of(plan);
        CAPTURE(text);
        CHECK(text.find("instances_active") != text.npos);
        CHECK(text.find("Seq Scan on instances") == text.npos);
    });
}
