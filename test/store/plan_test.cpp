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

} // namespace

TEST_CASE("a plan that was made while the tables were empty does not read all of a table")
{
    const installation on;
    workbench bench{on};
    const auto check_plan = [&](const std::string& name, std::string_view settings) {
        CAPTURE(name);
        bench.run([&]() -> asio::awaitable<void> {
            by_hand session = co_await by_hand::connect(on);
            const std::string sql = read_sql(name);
            REQUIRE_FALSE(sql.empty());
            co_await session("begin");
            if (!settings.empty()) co_await session(read_sql(std::string{settings}));
            co_await session("prepare planned as " + sql);
            const pg::result plan =
                co_await session("explain (costs off) " + execution_of(on.sql(sql).sql()));
            std::string text;
            for (const auto& [line] : plan.rows<std::string>()) text += line + "\n";
            CAPTURE(text);
            CHECK(text.find("Seq Scan") == text.npos);
        });
    };
    for (const char* const name :
         {"find_locked", "claim_activity_tasks", "claim_workflow_tasks", "extend_activity_tasks",
          "extend_workflow_tasks", "next_activity_due", "next_workflow_due", "read_claimed_history",
          "read_claimed_inbox", "read_claimed_tasks", "read_requests"})
        check_plan(name, "lease_settings");
    for (const char* const name :
         {"create_instances",      "delete_consumed",        "deliver_results",
          "deliver_signals",       "drop_results",           "end_activities",
          "delete_requests",       "fence_requests",         "fence_activity_tasks",
          "fence_workflow_tasks",  "lock_instances",         "lock_orphans",
          "lock_removable",        "lock_signalled",         "look_up_created",
          "note_problems",         "read_arrived",           "release_workflow_tasks",
          "remove_history",        "remove_instances",       "resolve_activity_tasks",
          "resolve_released",      "resolve_workflow_tasks", "settle_activity_tasks",
          "settle_workflow_tasks", "update_instances",       "wake_workflow_tasks"})
        check_plan(name, "durable_settings");
    for (const char* const name :
         {"load_history", "look_up_removable", "notify_created", "notify_signalled", "read_results",
          "safety", "state"})
        check_plan(name, {});
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
        std::string text;
        for (const auto& [line] : plan.rows<std::string>()) text += line + "\n";
        CAPTURE(text);
        CHECK(text.find("instances_active") != text.npos);
        CHECK(text.find("Seq Scan on instances") == text.npos);
    });
}
