// Code that never waits.
#include "expect.hpp"
#include "outcome.hpp"

#include <perdure/workflow/defaults.hpp>

using namespace perdure;
using namespace std::chrono_literals;

namespace {

template <class F>
void check_refused(F code)
{
    instance endless = text_instance(code);
    const std::string said = refusal(errc::activation_too_long, [&] { endless.activate(); });
    CHECK(said.starts_with("workflow text, instance order-1, run 1: the code took 1000000 steps"));
    refusal(errc::invalid_argument, [&] { endless.activate(); });
}

} // namespace

TEST_CASE("a loop of awaits that never wait fails the task, whatever they are")
{
    SUBCASE("sleeps")
    {
        check_refused([](context ctx) -> task<std::string> {
            const auto sleep = ctx.sleep(0s);
            for (;;) {
                co_await sleep;
            }
        });
    }
    SUBCASE("tasks")
    {
        check_refused([](context ctx) -> task<std::string> {
            const auto nothing = []() -> task<> { co_return; };
            for (;;) {
                co_await nothing();
            }
            (void)ctx;
        });
    }
}

TEST_CASE("a loop that catches its cancellation every time is told why nothing waits any more")
{
    instance stubborn = text_instance([](context ctx) -> task<std::string> {
        for (;;) {
            try {
                co_await ctx.sleep(1h);
            } catch (const cancelled&) { // and again
            }
        }
    });
    stubborn.activate();
    stubborn.cancel();
    const std::string said = refusal(errc::activation_too_long, [&] { stubborn.activate(); });
    CHECK(said.find("the instance was asked to end") != std::string::npos);
    CHECK(said.find("only shielded operations wait now") != std::string::npos);
    CHECK(said.find("something to wait for") == std::string::npos);
}

TEST_CASE("steps are counted anew in each activation, also in a replay")
{
    instance busy = text_instance([](context ctx) -> task<std::string> {
        const auto done = ctx.sleep(0s);
        for (int i = 0; i != 2; ++i) {
            for (int step = 0; step != 600'000; ++step) {
                co_await done;
            }
            co_await ctx.sleep(1s);
        }
        co_return "done";
    });
    busy.activate();
    busy.activate_at_next_timer();
    busy.activate_at_next_timer();
    replayer again(busy.code(), busy.info());
    again.replay(busy.history());
    CHECK(again.finished());
}

TEST_CASE("code that emits more commands than a history holds is stopped there")
{
    int calls = 0;
    instance endless = text_instance([&calls](context ctx) -> task<std::string> {
        const auto count = [&calls] { return ++calls; };
        for (;;) {
            co_await ctx.side_effect(count);
        }
    });
    const decision made = endless.activate();
    CHECK(calls == defaults::maximum_history_events);
    CHECK(commands(made).size() == static_cast<std::size_t>(defaults::maximum_history_events));
    CHECK(!made.finish);
    refusal(errc::invalid_argument, [&] { endless.activate(); });
}
