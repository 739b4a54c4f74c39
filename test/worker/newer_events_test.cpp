// What a newer version of the library wrote is set aside until a worker comes that can read it.
#include "acceptance/installation.hpp"

#include <perdure/pg/identifier.hpp>
#include <perdure/workflow/context.hpp>
#include <perdure/workflow/definitions.hpp>
#include <perdure/workflow/task.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <stdexcept>
#include <string>

namespace asio = boost::asio;
using namespace perdure;
using namespace perdure::test;
using namespace std::chrono_literals;

namespace {

constexpr workflow<"patient", int()> patiently;
constexpr perdure::signal<"go"> go;

task<int> run_patiently(context ctx)
{
    co_await ctx.receive(go);
    co_return 7;
}

asio::awaitable<void> execute(std::string sql)
{
    pg::connection_options options{test_dsn()};
    pg::connection session = co_await pg::connection::connect(std::move(options));
    co_await session.execute_script(std::move(sql));
}

/// Looks at the instance's state until it satisfies the condition.
template <class Condition>
asio::awaitable<void> until(untyped_instance instance, Condition condition)
{
    const auto end = std::chrono::steady_clock::now() + deadline;
    for (bool reached = false; !reached;) {
        if (std::chrono::steady_clock::now() > end)
            throw std::runtime_error{"the instance's state is not what the test waits for"};
        const store::instance_state state = co_await instance.state();
        reached = condition(state);
    }
}

bool says_so(const store::instance_state& state)
{
    return state.problem.find("from_the_future") != std::string::npos;
}

} // namespace

TEST_CASE("an instance with an event that a newer version wrote says so, and goes on with a worker "
          "that can read it")
{
    const installation on{setting::replayed};
    const std::string schema = pg::quote_identifier(on.schema());
    process here{on};
    here.add_worker().implement(patiently, run_patiently);
    int answer = 0;
    SUBCASE("among those that arrived")
    {
        answer = here.run([&]() -> asio::awaitable<int> {
            auto started = co_await here.client().start(patiently().id("one"));
            co_await started.signal(go);
            co_await execute("update " + schema + ".inbox set type = 'from_the_future'");
            here.start_all();
            co_await until(here.client().get("one"), says_so);
            co_await execute("update " + schema + ".inbox set type = 'signal_received'");
            const int result = co_await started.result();
            co_return result;
        });
    }
    SUBCASE("in the history")
    {
        here.start_all();
        answer = here.run([&]() -> asio::awaitable<int> {
            auto started = co_await here.client().start(patiently().id("one"));
            const auto first_task = [](const store::instance_state& state) {
                return state.history_length == 2;
            };
            co_await until(here.client().get("one"), first_task);
            co_await execute(
                "update " + schema + ".history set type = 'from_the_future' where seq = 2");
            co_await started.signal(go);
            co_await until(here.client().get("one"), says_so);
            co_await execute(
                "update " + schema + ".history set type = 'workflow_task' where seq = 2");
            const int result = co_await started.result();
            co_return result;
        });
    }
    CHECK(answer == 7);
}
