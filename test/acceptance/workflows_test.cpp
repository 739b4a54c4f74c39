// End to end: what a user of workflows relies on, in each of the three settings.
#include "acceptance/installation.hpp"

#include <perdure/workflow/context.hpp>
#include <perdure/workflow/definitions.hpp>
#include <perdure/workflow/task.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <string>

namespace asio = boost::asio;
using namespace perdure;
using namespace perdure::test;
using namespace std::chrono_literals;

namespace {

constexpr workflow<"greet", std::string(std::string)> greet;
constexpr workflow<"two-effects", std::string()> two_effects;
constexpr workflow<"echo-integer", std::int64_t(std::int64_t)> echo_integer;
constexpr activity<"nothing", void()> nothing;
constexpr activity<"same-integer", std::int64_t(std::int64_t)> same_integer;

task<std::string> run_greet(context, std::string name)
{
    co_return "hello " + name;
}

int effects = 0;

task<std::string> run_two_effects(context ctx)
{
    const auto count = [] { return ++effects; };
    const int first = co_await ctx.side_effect(count);
    co_await ctx.run(nothing());
    const int second = co_await ctx.side_effect(count);
    co_return std::to_string(first) + " " + std::to_string(second);
}

asio::awaitable<void> do_nothing(activity_context)
{
    co_return;
}

task<std::int64_t> run_echo_integer(context ctx, std::int64_t value)
{
    const std::int64_t same = co_await ctx.run(same_integer(value));
    co_return same;
}

std::int64_t give_same_integer(activity_context, std::int64_t value)
{
    return value;
}

std::vector<std::string> types(const std::vector<event>& history)
{
    std::vector<std::string> names;
    for (const event& each : history) names.emplace_back(to_string(each.type));
    return names;
}

} // namespace

TEST_CASE("B1: a simple workflow returns its result")
{
    for (const setting how : every_setting) {
        CAPTURE(to_string(how));
        const installation on{how};
        process here{on};
        here.add_worker().implement(greet, run_greet);
        here.start_all();
        const std::string result = here.result_of(greet("Ada"));
        CHECK(result == "hello Ada");
    }
}

TEST_CASE("B3: the history of a trivial workflow is exactly started, task, completed")
{
    for (const setting how : every_setting) {
        CAPTURE(to_string(how));
        const installation on{how};
        process here{on};
        here.add_worker().implement(greet, run_greet);
        here.start_all();
        const auto history = here.run([&]() -> asio::awaitable<std::vector<event>> {
            auto started = co_await here.client().start(greet("Ada").id("trivial"));
            co_await started.result();
            auto events = co_await started.history();
            co_return events;
        });
        CHECK(
            types(history) ==
            std::vector<std::string>{"workflow_started", "workflow_task", "workflow_completed"});
        CHECK(history.front().name == "greet");
        CHECK(history.front().data.text() == R"(["Ada"])");
        CHECK(history.back().data.text() == R"("hello Ada")");
    }
}

TEST_CASE(
    "B4: an unregistered workflow is a problem that names it, and a worker that has it goes on")
{
    for (const setting how : every_setting) {
        CAPTURE(to_string(how));
        const installation on{how};
        process here{on};
        here.add_worker().implement(
            echo_integer, run_echo_integer); // serves the queue, lacks the workflow
        here.start_all();
        const std::string problem = here.run([&]() -> asio::awaitable<std::string> {
            co_await here.client().start(greet("Ada").id("unknown-workflow"));
            const auto handle = here.client().get("unknown-workflow");
            const store::instance_state state = co_await state_with_problem(handle);
            CHECK(state.status == store::instance_status::running);
            co_return state.problem;
        });
        CHECK(problem.find("\"greet\"") != std::string::npos);
        CHECK(here.logged("\"greet\""));

        process other{on};
        other.add_worker().implement(greet, run_greet);
        here.stop();
        other.start_all();
        const std::string result = other.run([&]() -> asio::awaitable<std::string> {
            std::string answer = co_await other.client().get(greet, "unknown-workflow").result();
            const auto state = co_await other.client().get("unknown-workflow").state();
            CHECK(state.problem.empty());
            co_return answer;
        });
        CHECK(result == "hello Ada");
    }
}

TEST_CASE("B8: two side effects with a task between them run once each")
{
    for (const setting how : every_setting) {
        CAPTURE(to_string(how));
        effects = 0;
        const installation on{how};
        process here{on};
        worker& runs = here.add_worker();
        runs.implement(two_effects, run_two_effects);
        runs.implement(nothing, do_nothing);
        here.start_all();
        const std::string result = here.result_of(two_effects());
        CHECK(result == "1 2");
        CHECK(effects == 2);
    }
}

TEST_CASE("B10: changed workflow code is detected as non-determinism, and a fixed deploy heals it")
{
    for (const setting how : every_setting) {
        CAPTURE(to_string(how));
        static constexpr signal<"go"> go;
        static constexpr activity<"other", void()> other;
        const auto waits_then_runs_nothing = [](context ctx) -> task<std::string> {
            co_await ctx.run(nothing());
            co_await ctx.receive(go);
            co_return "done";
        };
        const auto runs_another = [](context ctx) -> task<std::string> {
            co_await ctx.run(other());
            co_await ctx.receive(go);
            co_return "changed";
        };
        const installation on{how};
        {
            process before{on};
            worker& runs = before.add_worker();
            runs.implement(two_effects, waits_then_runs_nothing);
            runs.implement(nothing, do_nothing);
            before.start_all();
            before.run([&]() -> asio::awaitable<void> {
                auto started = co_await before.client().start(two_effects().id("changed"));
                const auto end = std::chrono::steady_clock::now() + perdure::test::deadline;
                std::size_t length = 0;
                while (length < 5 && std::chrono::steady_clock::now() < end) {
                    co_await pause(1ms);
                    const auto state = co_await started.state();
                    length = static_cast<std::size_t>(state.history_length);
                }
                CHECK(length == 5); // started, task, scheduled, completed, task
            });
        }
        {
            process changed{on};
            changed.add_worker().implement(two_effects, runs_another);
            changed.start_all();
            changed.run([&]() -> asio::awaitable<void> {
                const auto handle = changed.client().get(two_effects, "changed");
                co_await handle.signal(go);
                const store::instance_state state = co_await state_with_problem(handle);
                CHECK(state.status == store::instance_status::running);
                CHECK(state.problem.find("nothing") != std::string::npos);
                CHECK(state.problem.find("other") != std::string::npos);
            });
        }
        process fixed{on};
        fixed.add_worker().implement(two_effects, waits_then_runs_nothing);
        fixed.start_all();
        const std::string result = fixed.run([&]() -> asio::awaitable<std::string> {
            std::string answer = co_await fixed.client().get(two_effects, "changed").result();
            co_return answer;
        });
        CHECK(result == "done");
    }
}

TEST_CASE("B29: an instance on a queue that nobody serves stays where it is")
{
    for (const setting how : every_setting) {
        CAPTURE(to_string(how));
        const installation on{how};
        process here{on};
        here.add_worker().implement(greet, run_greet);
        here.start_all();
        here.run([&]() -> asio::awaitable<void> {
            auto stranded = co_await here.client().start(greet("Ada").id("stranded").queue("mars"));
            auto served = co_await here.client().start(greet("Bob"));
            co_await served.result();
            const store::instance_state state = co_await stranded.state();
            CHECK(state.status == store::instance_status::running);
            CHECK(state.queue == "mars");
            CHECK(state.history_length == 1);
            CHECK(state.problem.empty());
        });
    }
}

TEST_CASE("C: 64-bit integers survive every payload exactly")
{
    for (const setting how : every_setting) {
        CAPTURE(to_string(how));
        const installation on{how};
        process here{on};
        worker& runs = here.add_worker();
        runs.implement(echo_integer, run_echo_integer);
        runs.implement(same_integer, give_same_integer);
        here.start_all();
        here.run([&]() -> asio::awaitable<void> {
            for (const std::int64_t value :
                 {std::int64_t{9007199254740993}, std::numeric_limits<std::int64_t>::max(),
                  std::numeric_limits<std::int64_t>::min()}) {
                auto started = co_await here.client().start(echo_integer(value));
                const std::int64_t same = co_await started.result();
                CHECK(same == value);
            }
        });
    }
}
