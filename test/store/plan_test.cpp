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
          "read_claimed_inbox", "read_claimed_tasks"})
        check_plan(name, "lease_settings");
    for (const char* const name :
         {"create_instances",       "delete_consumed",       "deliver_results",
          "deliver_signals",        "drop_results",          "end_activities",
          "fence_activity_tasks",   "fence_workflow_tasks",  "lock_instances",
          "lock_orphans",           "lock_removable",        "lock_signalled",
          "look_up_created",        "note_problems",         "read_arrived",
          "release_workflow_tasks", "remove_history",        "remove_instances",
          "resolve_activity_tasks", "resolve_released",      "resolve_workflow_tasks",
          "settle_activity_tasks",  "settle_workflow_tasks", "update_instances",
          "wake_workflow_tasks"})
        check_plan(name, "durable_settings");
    for (const char* const name :
         {"load_history", "look_up_removable", "notify_created", "notify_signalled", "read_results",
          "safety", "state"})
        check_plan(name, {});
}
