// End to end: an instance that is asked to end is told so where it waits, and what it waited for is
// withdrawn.
#include "acceptance/installation.hpp"

#include <perdure/workflow/context.hpp>
#include <perdure/workflow/definitions.hpp>
#include <perdure/workflow/select.hpp>
#include <perdure/workflow/task.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <optional>
#include <string>
#include <thread>

namespace asio = boost::asio;
using namespace perdure;
using namespace perdure::test;
using namespace std::chrono_literals;

namespace {

constexpr workflow<"nap", std::string()> nap;
constexpr activity<"toil", void()> toil;
constexpr activity<"tidy-up", std::string()> tidy_up;
constexpr signal<"go-on"> go_on;

task<std::string> run_nap(context ctx)
{
    co_await ctx.sleep(1h);
    co_return "slept";
}

/// Awaits the end of an instance and says whether that was its cancellation.
asio::awaitable<bool> ends_cancelled(untyped_instance instance)
{
    try {
        co_await instance.result_payload();
    } catch (const cancelled& ended) {
        CHECK(std::string{ended.what()}.find(instance.id()) != std::string::npos);
        co_return true;
    }
    co_return false;
}

std::ptrdiff_t count(const std::vector<event>& history, event_type type)
{
    return std::count_if(
        history.begin(), history.end(), [type](const event& each) { return each.type == type; });
}

asio::awaitable<std::int64_t> count_rows(std::string schema, std::string table)
{
    pg::connection session = co_await pg::connection::connect(pg::connection_options{test_dsn()});
    const pg::statement counting{
        "select count(*) from " + pg::quote_identifier(schema) + "." + table};
    const pg::result counted = co_await session.execute(counting);
    co_return counted.get<std::int64_t>(0, 0);
}

} // namespace

TEST_CASE("A15: cancelling an instance that has finished, or never was, fails with not_found")
{
    for (const setting how : every_setting) {
        CAPTURE(to_string(how));
        const installation on{how};
        process here{on};
        here.add_worker().implement(
            nap, [](context) -> task<std::string> { co_return "not tired"; });
        here.start_all();
        here.result_of(nap().id("finished"));
        here.run([&]() -> asio::awaitable<void> {
            for (const char* id : {"finished", "never-was"}) {
                CAPTURE(id);
                std::string refusal;
                const auto handle = here.client().get(id);
                try {
                    co_await handle.cancel();
                } catch (const error& refused) {
                    CHECK(refused.kind() == errc::not_found);
                    refusal = refused.what();
                }
                CHECK(refusal.find(id) != std::string::npos);
            }
        });
    }
}

TEST_CASE("B34: cancelling the instance ends a sleep at once")
{
    for (const setting how : every_setting) {
        CAPTURE(to_string(how));
        const installation on{how};
        process here{on, test_dsn(), patient(on)};
        here.add_worker().implement(nap, run_nap);
        here.start_all();
        here.run([&]() -> asio::awaitable<void> {
            auto sleeper = co_await here.client().start(nap().id("sleeper"));
            co_await wait_for_history(sleeper, 3); // it sleeps
            co_await sleeper.cancel();
            const bool was_cancelled = co_await ends_cancelled(sleeper);
            CHECK(was_cancelled);
            const auto state = co_await sleeper.state();
            CHECK(state.status == store::instance_status::cancelled);
            CHECK(state.finished_at);
            const auto history = co_await sleeper.history();
            CHECK(count(history, event_type::cancel_requested) == 1);
            CHECK(count(history, event_type::timer_cancelled) == 1);
            CHECK(history.back().type == event_type::workflow_cancelled);
        });
    }
}

TEST_CASE("a cancellation before the first task is seen by it")
{
    for (const setting how : every_setting) {
        CAPTURE(to_string(how));
        const installation on{how};
        process here{on};
        here.add_worker().implement(nap, run_nap);
        here.run([&]() -> asio::awaitable<void> {
            auto sleeper = co_await here.client().start(nap());
            co_await sleeper.cancel();
            here.start_all();
            const bool was_cancelled = co_await ends_cancelled(sleeper);
            CHECK(was_cancelled);
            const auto history = co_await sleeper.history();
            CHECK(count(history, event_type::workflow_task) == 1);
        });
    }
}

TEST_CASE("B35: a timer cancelled before the step ends is never scheduled")
{
    static constexpr workflow<"hesitate", void()> hesitate;
    for (const setting how : every_setting) {
        CAPTURE(to_string(how));
        const installation on{how};
        process here{on};
        here.add_worker().implement(hesitate, [](context ctx) -> task<void> {
            auto second = ctx.receive(go_on);
            // The sleep is started first; the signal, which is there already, ends it in the step.
            co_await select(ctx.sleep(1h), std::move(second));
            co_await ctx.receive(go_on);
        });
        here.run([&]() -> asio::awaitable<void> {
            auto started = co_await here.client().start(hesitate());
            co_await started.signal(go_on);
            here.start_all();
            co_await wait_for_history(started, 5);
            const auto history = co_await started.history();
            REQUIRE(history.size() == 5); // started, signal, task, timer, its cancellation
            CHECK(history[3].type == event_type::timer_started);
            CHECK(history[4].type == event_type::timer_cancelled);
            const std::int64_t rows = co_await count_rows(on.schema(), "workflow_tasks");
            CHECK(rows == 0); // nothing is due, ever
            co_await started.signal(go_on);
            co_await started.result();
        });
    }
}

TEST_CASE("B36: cancelling twice is harmless")
{
    for (const setting how : every_setting) {
        CAPTURE(to_string(how));
        const installation on{how};
        process here{on};
        here.add_worker().implement(nap, [](context ctx) -> task<std::string> {
            const auto slept = co_await ctx.sleep(1h).as_result();
            if (slept) co_return "slept";
            co_await ctx.shielded().receive(go_on); // in which the second one finds it
            co_return "woken";
        });
        here.start_all();
        here.run([&]() -> asio::awaitable<void> {
            auto sleeper = co_await here.client().start(nap());
            co_await wait_for_history(sleeper, 3);
            co_await sleeper.cancel();
            co_await wait_for_history(sleeper, 6); // request, task, timer cancelled
            co_await sleeper.cancel();
            co_await sleeper.cancel();
            co_await sleeper.signal(go_on);
            const std::string result = co_await sleeper.result();
            CHECK(result == "woken");
            const auto state = co_await sleeper.state();
            CHECK(state.status == store::instance_status::completed);
        });
    }
}

TEST_CASE("B37: cancelling removes the future event")
{
    for (const setting how : every_setting) {
        CAPTURE(to_string(how));
        const installation on{how};
        process here{on};
        here.add_worker().implement(nap, [](context ctx) -> task<std::string> {
            const auto slept = co_await ctx.sleep(1h).as_result();
            co_await ctx.shielded().receive(go_on);
            co_return slept ? "slept" : "woken";
        });
        here.start_all();
        here.run([&]() -> asio::awaitable<void> {
            auto sleeper = co_await here.client().start(nap());
            co_await wait_for_history(sleeper, 3);
            const std::int64_t before = co_await count_rows(on.schema(), "workflow_tasks");
            CHECK(before == 1); // the timer
            co_await sleeper.cancel();
            co_await wait_for_history(sleeper, 6);
            const std::int64_t after = co_await count_rows(on.schema(), "workflow_tasks");
            CHECK(after == 0);
            co_await sleeper.signal(go_on);
            const std::string result = co_await sleeper.result();
            CHECK(result == "woken");
        });
    }
}

TEST_CASE("B38: a timer that comes due while it is being cancelled does no harm")
{
    constexpr workflow<"blink", std::string()> blink;
    for (const setting how : every_setting) {
        CAPTURE(to_string(how));
        const installation on{how};
        process here{on};
        here.add_worker().implement(blink, [](context ctx) -> task<std::string> {
            co_await ctx.sleep(20ms);
            co_return "slept";
        });
        here.start_all();
        for (int round = 0; round < 20; ++round) {
            CAPTURE(round);
            here.run([&]() -> asio::awaitable<void> {
                auto sleeper = co_await here.client().start(blink());
                co_await pause(std::chrono::milliseconds{10 + round});
                bool asked = true;
                try {
                    co_await sleeper.cancel();
                } catch (const error& refused) { // it was quicker
                    CHECK(refused.kind() == errc::not_found);
                    asked = false;
                }
                const bool was_cancelled = co_await ends_cancelled(sleeper);
                if (was_cancelled) CHECK(asked);
                const auto state = co_await sleeper.state();
                CHECK(state.problem.empty());
                const auto history = co_await sleeper.history();
                const auto fired = count(history, event_type::timer_fired);
                CHECK(fired + count(history, event_type::timer_cancelled) == 1);
                CHECK(was_cancelled == (fired == 0));
            });
        }
    }
}

TEST_CASE("C: a workflow that catches its cancellation cleans up and goes on")
{
    for (const setting how : every_setting) {
        CAPTURE(to_string(how));
        const installation on{how};
        process here{on};
        worker& runs = here.add_worker();
        runs.implement(nap, [](context ctx) -> task<std::string> {
            bool interrupted = false;
            try {
                co_await ctx.sleep(1h);
            } catch (const cancelled&) {
                interrupted = true;
            }
            // It stays in force: what is not shielded is interrupted again.
            const auto again = co_await ctx.run(tidy_up()).as_result();
            if (again || !interrupted) co_return "not interrupted";
            std::string tidied = co_await ctx.shielded().run(tidy_up());
            co_return tidied;
        });
        runs.implement(tidy_up, [](activity_context) { return std::string{"tidy"}; });
        here.start_all();
        here.run([&]() -> asio::awaitable<void> {
            auto sleeper = co_await here.client().start(nap());
            co_await wait_for_history(sleeper, 3);
            co_await sleeper.cancel();
            const std::string result = co_await sleeper.result();
            CHECK(result == "tidy");
            const auto history = co_await sleeper.history();
            CHECK(count(history, event_type::activity_scheduled) == 1);
        });
    }
}

TEST_CASE("a cancellation travels to the activity that is awaited, coroutine or function")
{
    for (const setting how : every_setting) {
        for (const bool is_coroutine : {true, false}) {
            CAPTURE(to_string(how));
            CAPTURE(is_coroutine);
            const installation on{how};
            std::atomic<bool> begun = false;
            std::atomic<bool> stopped = false;
            process here{on, test_dsn(), patient(on)};
            worker& runs = here.add_worker();
            runs.implement(nap, [](context ctx) -> task<std::string> {
                co_await ctx.run(toil());
                co_return "done";
            });
            if (is_coroutine)
                runs.implement(toil, [&](activity_context ctx) -> asio::awaitable<void> {
                    begun = true;
                    try {
                        co_await pause(1h);
                    } catch (const boost::system::system_error& interrupted) {
                        stopped =
                            interrupted.code() == asio::error::operation_aborted && ctx.cancelled();
                        throw;
                    }
                });
            else
                runs.implement(toil, [&](activity_context ctx) {
                    begun = true;
                    while (!ctx.cancelled()) std::this_thread::sleep_for(1ms);
                    stopped = true;
                });
            here.start_all();
            here.run([&]() -> asio::awaitable<void> {
                auto started = co_await here.client().start(nap());
                co_await wait_until([&] { return begun.load(); });
                co_await started.cancel();
                const bool was_cancelled = co_await ends_cancelled(started);
                CHECK(was_cancelled);
                co_await wait_until([&] { return stopped.load(); });
            });
            here.stop(); // which the activity does not hold up
            CHECK(here.logged("an activity was cancelled"));
            run([&]() -> asio::awaitable<void> {
                const std::int64_t rows = co_await count_rows(on.schema(), "activity_tasks");
                CHECK(rows == 0);
            });
        }
    }
}

TEST_CASE("an activity that is no longer wanted before anybody runs it never runs")
{
    constexpr workflow<"give-up", void()> give_up;
    for (const setting how : every_setting) {
        CAPTURE(to_string(how));
        const installation on{how};
        bool ran = false;
        process here{on};
        worker& runs = here.add_worker();
        runs.implement(give_up, [](context ctx) -> task<void> { co_await ctx.run(toil()); });
        here.start_all();
        here.run([&]() -> asio::awaitable<void> {
            auto started = co_await here.client().start(give_up());
            co_await wait_for_history(started, 3);
            co_await started.cancel();
            const bool was_cancelled = co_await ends_cancelled(started);
            CHECK(was_cancelled);
            worker& late = here.add_worker();
            late.implement(toil, [&](activity_context) { ran = true; });
            late.implement(nap, [](context ctx) -> task<std::string> {
                co_await ctx.run(toil()); // one that is wanted
                co_return "";
            });
            late.implement(give_up, [](context) -> task<void> { co_return; });
            const std::int64_t rows = co_await count_rows(on.schema(), "activity_tasks");
            CHECK(rows == 0);
        });
        CHECK_FALSE(ran);
    }
}
