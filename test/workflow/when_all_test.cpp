// Waiting for several things at once.
#include "outcome.hpp"

#include <stdexcept>

using namespace perdure;
using namespace std::chrono_literals;

namespace {

using words = std::vector<std::string>;

const shop::order an_order{"A", 1};

task<std::string> charge_then_ship(context ctx)
{
    std::string payment = co_await ctx.run(shop::charge(an_order));
    co_await ctx.run(shop::ship(an_order));
    co_return payment;
}

/// Takes back what it did, in its own time.
task<std::string> with_compensation(context ctx)
{
    bool stopped = false;
    try {
        co_await ctx.run(shop::ship(an_order));
    } catch (const cancelled&) {
        stopped = true;
    }
    if (stopped) co_await ctx.shielded().run(shop::refund("shipping"));
    co_return "shipped";
}

} // namespace

TEST_CASE("when_all starts its operands in order and gives all values, void as monostate")
{
    instance all = text_instance([](context ctx) -> task<std::string> {
        auto started = ctx.start(shop::charge(an_order));
        auto values = co_await when_all(
            ctx.run(shop::charge(an_order)), ctx.sleep(1h), ctx.receive(shop::note), started,
            charge_then_ship(ctx), ctx.receive(shop::approve).within(2h));
        auto& [charged, slept, note, future_value, shipped, approved] = values;
        static_assert(std::is_same_v<std::remove_reference_t<decltype(slept)>, std::monostate>);
        co_return charged + note + future_value + shipped + (approved ? "yes" : "no");
    });
    CHECK(
        commands(all.activate()) == words{
                                        "activity_scheduled #1 charge",
                                        "activity_scheduled #2 charge", "timer_started #3",
                                        "timer_started #4", "activity_scheduled #5 charge"});
    all.complete(5, R"("e")");
    all.complete(2, R"("b")");
    all.signal(shop::note("note"));
    CHECK(commands(all.activate()) == words{"activity_scheduled #6 ship"});
    all.complete(6, "null");
    all.complete(1, R"("a")");
    all.activate();
    all.activate_at_next_timer();
    CHECK(result_of(all.activate_at_next_timer()) == "bnoteaeno");
    all.check_replays();
}

TEST_CASE("when_all over a vector gives the values in the order of the operands")
{
    const auto collect = [](const std::vector<std::string>& all) {
        std::string joined;
        for (const std::string& each : all) joined += each;
        return joined;
    };
    instance all = text_instance([&](context ctx) -> task<std::string> {
        std::vector<operation<std::string>> lazy;
        std::vector<future<std::string>> started;
        std::vector<task<std::string>> tasks;
        for (int i = 0; i != 3; ++i) {
            started.push_back(ctx.start(shop::charge(an_order)));
            lazy.push_back(ctx.run(shop::charge(an_order)));
            tasks.push_back(charge_then_ship(ctx));
        }
        auto three =
            co_await when_all(when_all(lazy), when_all(started), when_all(std::move(tasks)));
        auto& [a, b, c] = three;
        std::vector<std::string> empty;
        empty = co_await when_all(std::vector<operation<std::string>>());
        co_return collect(a) + collect(b) + collect(c) + collect(empty);
    });
    all.activate();
    for (int i = 9; i != 0; --i) all.complete(i, "\"" + std::to_string(i) + "\"");
    all.activate();
    for (int i = 10; i != 13; ++i) all.complete(i, "null");
    CHECK(result_of(all.activate()) == "456123789");
    all.check_replays();
}

TEST_CASE("the first failure in the history is thrown, and the other operands are cancelled")
{
    instance all = text_instance([](context ctx) -> task<std::string> {
        auto kept = ctx.start(shop::refund("x"));
        std::string said;
        try {
            co_await when_all(
                ctx.run(shop::charge(an_order)), ctx.run(shop::ship(an_order)), ctx.sleep(1h),
                ctx.receive(shop::note), kept, charge_then_ship(ctx));
        } catch (const activity_failed& failure) {
            said = failure.info().message;
        }
        const std::string note = co_await ctx.receive(shop::note);
        co_await kept;
        co_return said + ", " + note;
    });
    all.activate();
    all.fail(3, {"odd", "no parcel", {}, true, nullptr});
    all.fail(2, {"odd", "no card", {}, true, nullptr});
    const decision second = all.activate();
    CHECK(
        commands(second) ==
        words{"activity_cancelled #2", "timer_cancelled #4", "activity_cancelled #5"});
    CHECK(second.cancelled_activities == std::vector<std::int32_t>{2, 5});
    CHECK(!second.next_timer);
    all.signal(shop::note("kept"));
    all.complete(1, "null");
    CHECK(result_of(all.activate()) == "activity ship failed, kept");
    all.check_replays();
}

TEST_CASE("an operand that fails at once is thrown, and those behind it are not started")
{
    instance all = text_instance([](context ctx) -> task<std::string> {
        const auto fail = []() -> int { throw std::runtime_error("no entropy"); };
        const auto failed =
            co_await when_all(ctx.sleep(1h), ctx.side_effect(fail), ctx.run(shop::ship(an_order)))
                .as_result();
        co_return failed.failure().what();
    });
    const decision only = all.activate();
    CHECK(result_of(only) == "no entropy");
    CHECK(
        commands(only) == words{
                              "timer_started #1", "side_effect #2 failure", "timer_cancelled #1",
                              "workflow_completed"});
    all.check_replays();
}

TEST_CASE("a task that is cancelled with its group is waited for: its compensation is done first")
{
    instance all = text_instance([](context ctx) -> task<std::string> {
        auto failed =
            co_await when_all(with_compensation(ctx), ctx.run(shop::charge(an_order))).as_result();
        co_return failed.failure().info().message;
    });
    all.activate();
    all.fail(1, {"odd", "no card", {}, true, nullptr});
    const decision second = all.activate();
    CHECK(!second.finish);
    CHECK(commands(second) == words{"activity_cancelled #2", "activity_scheduled #3 refund"});
    all.complete(3, "null");
    CHECK(result_of(all.activate()) == "activity charge failed");
    all.check_replays();
}

TEST_CASE("when_all within a time: what is not complete then is cancelled")
{
    instance all = text_instance([](context ctx) -> task<std::string> {
        auto late =
            co_await when_all(ctx.run(shop::charge(an_order)), with_compensation(ctx)).within(1h);
        auto in_time = co_await when_all(ctx.sleep(1s), ctx.sleep(2s)).as_result().within(1h);
        co_return std::string(late ? "?" : "late") + (in_time && *in_time ? ", in time" : ", ?");
    });
    all.activate();
    const decision timed_out = all.activate_at_next_timer();
    CHECK(
        commands(timed_out) ==
        words{"activity_cancelled #1", "activity_cancelled #3", "activity_scheduled #4 refund"});
    all.complete(4, "null");
    all.activate();
    all.activate_at_next_timer();
    const decision last = all.activate_at_next_timer();
    CHECK(result_of(last) == "late, in time");
    CHECK(commands(last) == words{"timer_cancelled #7", "workflow_completed"});
    all.check_replays();
}

TEST_CASE("a cancellation of the instance reaches every operand, and each task ends in its own way")
{
    instance all = text_instance([](context ctx) -> task<std::string> {
        auto failed = co_await when_all(
                          with_compensation(ctx), ctx.run(shop::charge(an_order)),
                          ctx.run(shop::charge(an_order)))
                          .as_result();
        CHECK(failed.failure().kind() == errc::cancelled);
        co_return failed.failure().what();
    });
    all.activate();
    all.cancel();
    const decision second = all.activate();
    CHECK(
        commands(second) == words{
                                "activity_cancelled #1", "activity_cancelled #2",
                                "activity_cancelled #3", "activity_scheduled #4 refund"});
    all.complete(4, "null");
    CHECK(result_of(all.activate()) == "cancelled");
    all.check_replays();
}

TEST_CASE("a cancellation of the instance withdraws all futures that are awaited, and no others")
{
    instance all = text_instance([](context ctx) -> task<std::string> {
        auto first = ctx.start(shop::charge(an_order));
        auto second = ctx.start(shop::charge(an_order));
        auto unawaited = ctx.start(shop::charge(an_order));
        const auto both = co_await when_all(first, second).as_result();
        co_await ctx.shielded().receive(shop::go);
        co_return both ? "?" : both.failure().what();
    });
    all.activate();
    all.cancel();
    CHECK(all.activate().cancelled_activities == std::vector<std::int32_t>{1, 2});
    all.signal(shop::go());
    CHECK(result_of(all.activate()) == "cancelled");
    all.check_replays();
}

TEST_CASE("a thousand activities at once, awaited with when_all")
{
    instance many = text_instance([](context ctx) -> task<std::string> {
        std::vector<operation<std::string>> all;
        for (int i = 0; i != 1'000; ++i) all.push_back(ctx.run(shop::charge(an_order)));
        const std::vector<std::string> values = co_await when_all(std::move(all));
        co_return std::to_string(values.size()) + values.front() + values.back();
    });
    CHECK(many.activate().activities.size() == 1'000);
    for (int i = 1'000; i != 0; --i) many.complete(i, R"("x")");
    CHECK(result_of(many.activate()) == "1000xx");
    many.check_replays();
}
