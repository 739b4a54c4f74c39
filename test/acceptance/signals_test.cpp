// End to end: a signal is delivered or refused, never swallowed, whatever its instance is doing at
// the time.
#include "acceptance/installation.hpp"

#include <perdure/workflow/context.hpp>
#include <perdure/workflow/definitions.hpp>
#include <perdure/workflow/task.hpp>

#include <doctest/doctest.h>

#include <string>

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
    for (const setting how : every_setting) {
        CAPTURE(to_string(how));
        const installation on{how};
        process here{on};
        std::optional<untyped_instance> self;
        worker& runs = here.add_worker();
        runs.implement(hear, run_hear);
        runs.implement(hold, [&](activity_context) -> asio::awaitable<void> {
            co_await self->signal(
                "word", encode(std::string{"meanwhile"})); // one event more for its running task
        });
        const std::string heard = here.run([&]() -> asio::awaitable<std::string> {
            auto started = co_await here.client().start(hear());
            self = started;
            here.start_all();
            std::string answer = co_await started.result();
            co_return answer;
        });
        CHECK(heard == "meanwhile");
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
