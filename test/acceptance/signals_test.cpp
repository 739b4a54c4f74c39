// End to end: a signal is delivered or refused, never swallowed, whatever its instance is doing at
// the time.
#include "acceptance/installation.hpp"

#include <perdure/workflow/context.hpp>
#include <perdure/workflow/definitions.hpp>
#include <perdure/workflow/task.hpp>

#include <doctest/doctest.h>

#include <string>
#include <thread>

namespace asio = boost::asio;
using namespace perdure;
using namespace perdure::test;
using namespace std::chrono_literals;

namespace {

constexpr workflow<"hear", std::string()> hear;
constexpr activity<"hold", void()> hold;
constexpr signal<"word", std::string> word;

/// Runs an activity, then gives back the first word.
task<std::string> run_hear(context ctx)
{
    co_await ctx.run(hold());
    std::string heard = co_await ctx.receive(word);
    co_return heard;
}

asio::awaitable<void> wait_for_history(untyped_instance instance, std::int32_t length)
{
    const auto end = std::chrono::steady_clock::now() + perdure::test::deadline;
    for (;;) {
        const store::instance_state state = co_await instance.state();
        if (state.history_length >= length) co_return;
        if (std::chrono::steady_clock::now() > end)
            throw std::runtime_error{"the history did not grow"};
        co_await pause(1ms);
    }
}

} // namespace

TEST_CASE("C: a signal sent before the first task is delivered")
{
    for (const setting how : every_setting) {
        CAPTURE(to_string(how));
        const installation on{how};
        process here{on};
        worker& runs = here.add_worker();
        runs.implement(hear, run_hear);
        runs.implement(hold, [](activity_context) {});
        const std::string heard = here.run([&]() -> asio::awaitable<std::string> {
            auto started = co_await here.client().start(hear());
            co_await started.signal(word, "early"); // no worker runs yet
            here.start_all();
            std::string answer = co_await started.result();
            co_return answer;
        });
        CHECK(heard == "early");
    }
}

TEST_CASE("C: a signal sent while its instance is executed is delivered")
{
    static constexpr workflow<"overhear", std::string()> overhear;
    for (const setting how : every_setting) {
        CAPTURE(to_string(how));
        const installation on{how};
        const auto send_from_elsewhere = [&on] { // blocks the workflow's task in mid-run
            std::thread{[&on] {
                process elsewhere{on};
                elsewhere.run([&]() -> asio::awaitable<void> {
                    co_await elsewhere.client().get("busy").signal(
                        "word", encode(std::string{"meanwhile"}));
                });
            }}.join();
            return true;
        };
        process here{on};
        here.add_worker().implement(
            overhear, [&send_from_elsewhere](context ctx) -> task<std::string> {
                co_await ctx.side_effect(send_from_elsewhere);
                std::string heard = co_await ctx.receive(word);
                co_return heard;
            });
        here.start_all();
        here.run([&]() -> asio::awaitable<void> {
            auto started = co_await here.client().start(overhear().id("busy"));
            const std::string heard = co_await started.result();
            CHECK(heard == "meanwhile");
            const auto history = co_await started.history();
            CHECK(history.size() == 6); // started, task, side effect, signal, task, completed
        });
    }
}

TEST_CASE("signals that a run did not receive reach the next run of its chain")
{
    static constexpr workflow<"chain", std::string(std::string)> chain;
    for (const setting how : every_setting) {
        CAPTURE(to_string(how));
        const installation on{how};
        process here{on};
        here.add_worker().implement(
            chain, [](context ctx, std::string so_far) -> task<std::string> {
                const std::string next = co_await ctx.receive(word);
                so_far += next;
                if (so_far.size() < 3) co_await ctx.continue_as_new(chain(so_far));
                co_return so_far;
            });
        const std::string all = here.run([&]() -> asio::awaitable<std::string> {
            auto started = co_await here.client().start(chain(""));
            for (const char* each : {"a", "b", "c"}) co_await started.signal(word, each);
            here.start_all(); // all three are there in the first run already
            std::string received = co_await started.result();
            const auto state = co_await started.state();
            CHECK(state.run == 3);
            const auto first = co_await started.history(1);
            CHECK(first.back().type == event_type::workflow_continued);
            co_return received;
        });
        CHECK(all == "abc");
    }
}

TEST_CASE("C: a signal sent while its instance is parked wakes it")
{
    for (const setting how : every_setting) {
        CAPTURE(to_string(how));
        const installation on{how};
        process here{on};
        worker& runs = here.add_worker();
        runs.implement(hear, run_hear);
        runs.implement(hold, [](activity_context) {});
        here.start_all();
        const std::string heard = here.run([&]() -> asio::awaitable<std::string> {
            auto started = co_await here.client().start(hear());
            co_await wait_for_history(started, 5); // it has run the activity and waits for the word
            co_await started.signal(word, "now");
            std::string answer = co_await started.result();
            co_return answer;
        });
        CHECK(heard == "now");
    }
}

TEST_CASE("C: hundreds of signals to one instance all arrive, in order")
{
    static constexpr workflow<"collect", bool(std::int64_t)> collect;
    static constexpr signal<"number", std::int64_t> number;
    for (const setting how : every_setting) {
        CAPTURE(to_string(how));
        const installation on{how};
        process here{on};
        here.add_worker().implement(collect, [](context ctx, std::int64_t count) -> task<bool> {
            bool ordered = true;
            for (std::int64_t expected = 0; expected < count; ++expected) {
                const std::int64_t next = co_await ctx.receive(number);
                ordered = ordered && next == expected;
            }
            co_return ordered;
        });
        here.start_all();
        const bool ordered = here.run([&]() -> asio::awaitable<bool> {
            auto started = co_await here.client().start(collect(300));
            for (std::int64_t i = 0; i < 300; ++i) co_await started.signal(number, i);
            const bool answer = co_await started.result();
            co_return answer;
        });
        CHECK(ordered);
    }
}

TEST_CASE("a signal to an instance that does not exist or has finished is refused with not_found")
{
    const installation on;
    process here{on};
    worker& runs = here.add_worker();
    runs.implement(hear, run_hear);
    runs.implement(hold, [](activity_context) {});
    here.start_all();
    here.run([&]() -> asio::awaitable<void> {
        auto started = co_await here.client().start(hear().id("finished"));
        co_await started.signal(word, "bye");
        co_await started.result();
        for (const char* id : {"finished", "never-was"}) {
            CAPTURE(id);
            const auto handle = here.client().get(hear, id);
            std::string refusal;
            try {
                co_await handle.signal(word, "late");
            } catch (const error& refused) {
                CHECK(refused.kind() == errc::not_found);
                refusal = refused.what();
            }
            CHECK(refusal.find(id) != std::string::npos);
        }
    });
}
