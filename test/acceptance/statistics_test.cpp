// End to end: what there is to do can be counted.
#include "acceptance/installation.hpp"

#include <perdure/workflow/context.hpp>
#include <perdure/workflow/definitions.hpp>
#include <perdure/workflow/task.hpp>

#include <doctest/doctest.h>

#include <map>
#include <string>

namespace asio = boost::asio;
using namespace perdure;
using namespace perdure::test;
using namespace std::chrono_literals;

namespace {

constexpr workflow<"bake", void()> bake;
constexpr activity<"oven", void()> oven;

task<void> run_bake(context ctx)
{
    co_await ctx.run(oven());
}

} // namespace

TEST_CASE("B33: active instances and pending tasks by queue are counted, running activities too")
{
    for (const setting how : every_setting) {
        CAPTURE(to_string(how));
        const installation on{how};
        process here{on};
        int running = 0;
        bool let_go = false;
        worker& runs = here.add_worker(on.workers().activity_slots(2));
        runs.implement(bake, run_bake);
        runs.implement(oven, [&](activity_context) -> asio::awaitable<void> {
            ++running;
            co_await wait_until([&] { return let_go; });
        });
        const auto count = [&]() -> asio::awaitable<std::map<std::string, std::int64_t>> {
            const store::statistics counted = co_await here.client().statistics();
            std::map<std::string, std::int64_t> flat;
            flat["active"] = counted.active_instances;
            for (const store::queue_statistics& each : counted.queues) {
                flat[each.queue + " workflows"] = each.workflow_tasks;
                flat[each.queue + " activities"] = each.activity_tasks;
            }
            co_return flat;
        };
        here.run([&]() -> asio::awaitable<void> {
            auto counted = co_await count();
            CHECK(counted == std::map<std::string, std::int64_t>{{"active", 0}});

            co_await here.client().start(bake().queue("mars")); // where nobody is
            std::vector<instance<void>> started;
            for (int i = 0; i < 3; ++i) started.push_back(co_await here.client().start(bake()));
            counted = co_await count();
            CHECK(counted["active"] == 4);
            CHECK(counted["default workflows"] == 3);
            CHECK(counted["mars workflows"] == 1);
            CHECK(counted["mars activities"] == 0);

            here.start_all();
            for (const auto& each : started) co_await wait_for_history(each, 3);
            co_await wait_until([&] { return running == 2; });
            counted = co_await count();
            CHECK(counted["active"] == 4);
            CHECK(counted["default activities"] == 3); // two run, one waits for a slot
            CHECK(counted["default workflows"] == 0);

            let_go = true;
            for (const auto& each : started) co_await each.result();
            counted = co_await count();
            const std::map<std::string, std::int64_t> left{
                {"active", 1}, {"mars workflows", 1}, {"mars activities", 0}};
            CHECK(counted == left);
        });
    }
}
