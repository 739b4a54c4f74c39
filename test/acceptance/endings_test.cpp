// End to end: workflows that end in unusual ways.
#include "acceptance/installation.hpp"

#include <perdure/workflow/context.hpp>
#include <perdure/workflow/definitions.hpp>
#include <perdure/workflow/task.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <stdexcept>
#include <string>

namespace asio = boost::asio;
using namespace perdure;
using namespace perdure::test;
using namespace std::chrono_literals;

namespace {

constexpr workflow<"odd", std::string()> odd;
constexpr activity<"quick", int()> quick;
constexpr activity<"endless", void()> endless;
constexpr signal<"never"> never;

} // namespace

TEST_CASE("C: a workflow that returns with futures pending has returned, and its activities stop")
{
    for (const setting how : every_setting) {
        CAPTURE(to_string(how));
        const installation on{how};
        std::atomic<bool> begun = false;
        std::atomic<bool> stopped = false;
        process here{on};
        worker& runs = here.add_worker();
        runs.implement(odd, [](context ctx) -> task<std::string> {
            auto pending = ctx.start(endless());
            auto also = ctx.start(quick());
            co_await ctx.receive(never);
            co_return "enough";
        });
        runs.implement(quick, [](activity_context) { return 1; });
        runs.implement(endless, [&](activity_context) -> asio::awaitable<void> {
            begun = true;
            try {
                co_await pause(1h);
            } catch (...) {
                stopped = true;
                throw;
            }
        });
        here.start_all();
        here.run([&]() -> asio::awaitable<void> {
            auto started = co_await here.client().start(odd());
            co_await wait_until([&] { return begun.load(); });
            co_await started.signal(never);
            const std::string result = co_await started.result();
            CHECK(result == "enough");
            co_await wait_until([&] { return stopped.load(); });
            const auto state = co_await started.state();
            CHECK(state.problem.empty());
        });
    }
}

TEST_CASE("C: a workflow that throws has failed, with the exception's type and words")
{
    for (const setting how : every_setting) {
        CAPTURE(to_string(how));
        const installation on{how};
        process here{on};
        worker& runs = here.add_worker();
        runs.implement(odd, [](context ctx) -> task<std::string> {
            const int one = co_await ctx.run(quick());
            if (one == 1) throw std::out_of_range{"one too many"};
            co_return "";
        });
        runs.implement(quick, [](activity_context) { return 1; });
        here.start_all();
        bool failed = false;
        try {
            here.result_of(odd().id("thrower"));
        } catch (const workflow_failed& failure) {
            failed = true;
            CHECK(failure.info().cause->type == "std::out_of_range");
            CHECK(failure.info().cause->message == "one too many");
            CHECK(std::string{failure.what()}.find("thrower") != std::string::npos);
        }
        CHECK(failed);
    }
}

TEST_CASE("C: a workflow that awaits a future twice gets the same outcome twice")
{
    for (const setting how : every_setting) {
        CAPTURE(to_string(how));
        const installation on{how};
        int runs_of_quick = 0;
        process here{on};
        worker& runs = here.add_worker();
        runs.implement(odd, [](context ctx) -> task<std::string> {
            auto counted = ctx.start(quick());
            const int first = co_await counted;
            co_await ctx.sleep(1ms); // a task in between, for which it may be replayed
            const int second = co_await counted;
            co_return std::to_string(first) + " " + std::to_string(second);
        });
        runs.implement(
            quick, [&](activity_context) -> asio::awaitable<int> { co_return ++runs_of_quick; });
        here.start_all();
        CHECK(here.result_of(odd()) == "1 1");
        CHECK(runs_of_quick == 1);
    }
}
