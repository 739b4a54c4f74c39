// Code that no longer does what its history says it did.
#include "expect.hpp"
#include "instance.hpp"
#include "shop.hpp"

using namespace perdure;
using namespace std::chrono_literals;

namespace {

task<std::string> charge_then_sleep(context ctx)
{
    const shop::order order{"A", 1};
    const std::string payment = co_await ctx.run(shop::charge(order));
    co_await ctx.sleep(1h);
    co_return payment;
}

/// A history of charge_then_sleep up to its sleep.
instance sleeping()
{
    instance recorded(implement(shop::text, charge_then_sleep), shop::text());
    recorded.activate();
    recorded.complete(1, R"("payment")");
    recorded.activate();
    return recorded;
}

/// What replaying that history with other code says.
template <class F>
std::string mismatch(F code)
{
    const instance recorded = sleeping();
    replayer changed(
        std::make_shared<const workflow_implementation>(implement(shop::text, code)),
        recorded.info());
    const std::string said =
        refusal(errc::nondeterminism, [&] { changed.replay(recorded.history()); });
    CHECK(refusal(errc::invalid_argument, [&] {
              changed.activate({}, recorded.now);
          }).find("after it has failed") != std::string::npos);
    const std::string prefix =
        "workflow text, instance order-1, run 1: the code does not do what the history says it "
        "did; run the code "
        "that this instance began with, or code that emits the same commands\n";
    CHECK(said.starts_with(prefix));
    return said.substr(prefix.size());
}

} // namespace

TEST_CASE("changed workflow code is detected as non-determinism, expected and actual side by side")
{
    SUBCASE("another activity")
    {
        CHECK(
            mismatch([](context ctx) -> task<std::string> {
                co_await ctx.run(shop::refund("x"));
                FAIL_CHECK("a workflow that left its history is not resumed");
                co_return "";
            }) == "  history, event 3: activity_scheduled #1 charge\n"
                  "  the code now emits: activity_scheduled #1 refund");
    }
    SUBCASE("another operation")
    {
        CHECK(
            mismatch([](context ctx) -> task<std::string> {
                const shop::order order{"A", 1};
                auto charge = ctx.start(shop::charge(order));
                co_await charge;
                ctx.start(shop::ship(order));
                co_await charge;
                FAIL_CHECK("a workflow that left its history is not resumed");
                co_return "";
            }) == "  history, event 6: timer_started #2\n"
                  "  the code now emits: activity_scheduled #2 ship");
    }
    SUBCASE("one command more")
    {
        CHECK(
            mismatch([](context ctx) -> task<std::string> {
                const shop::order order{"A", 1};
                ctx.start(shop::charge(order));
                ctx.start(shop::ship(order));
                ctx.start(shop::ship(order));
                co_return "";
            }) == "  history, event 4: nothing more before the next event\n"
                  "  the code now emits: activity_scheduled #2 ship");
    }
    SUBCASE("one command less")
    {
        CHECK(
            mismatch([](context ctx) -> task<std::string> {
                const shop::order order{"A", 1};
                co_await ctx.run(shop::charge(order));
                co_await ctx.receive(shop::go);
                co_return "";
            }) == "  history, event 6: timer_started #2\n"
                  "  the code now emits: nothing");
    }
    SUBCASE("an end that was not there")
    {
        CHECK(
            mismatch([](context ctx) -> task<std::string> {
                const shop::order order{"A", 1};
                co_return co_await ctx.run(shop::charge(order));
            }) == "  history, event 6: timer_started #2\n"
                  "  the code now emits: workflow_completed");
    }
    SUBCASE("another name of a side effect's place")
    {
        CHECK(
            mismatch([](context ctx) -> task<std::string> {
                const auto one = [] {
                    FAIL_CHECK("a side effect is not run in a replay");
                    return 1;
                };
                co_await ctx.side_effect(one);
                co_return "";
            }) == "  history, event 3: activity_scheduled #1 charge\n"
                  "  the code now emits: side_effect #1");
    }
}

TEST_CASE("arguments, options and durations may change: the history is right")
{
    const instance recorded = sleeping();
    const auto changed = std::make_shared<const workflow_implementation>(
        implement(shop::text, [](context ctx) -> task<std::string> {
            const shop::order order{"another", 7};
            const std::string payment = co_await ctx.run(shop::charge(order).attempts(9));
            co_await ctx.sleep(2h);
            co_return "new " + payment;
        }));
    replayer fixed(changed, recorded.info());
    fixed.replay(recorded.history());
    CHECK(fixed.next_timer() == recorded.now + 1h);
    const decision last = fixed.activate({}, recorded.now + 1h);
    REQUIRE(last.finish);
    CHECK(last.finish->data.text() == "\"new payment\"");
}

TEST_CASE("a fixed deploy heals: the history that broken code refused goes on under the right code")
{
    const instance recorded = sleeping();
    mismatch([](context) -> task<std::string> { co_return ""; });
    replayer right(recorded.code(), recorded.info());
    right.replay(recorded.history());
    CHECK(right.activate({}, recorded.now + 1h).finish.has_value());
}
