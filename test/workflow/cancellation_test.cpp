// The cancellation of an instance: thrown at its awaits, seen by everything that is not shielded.
#include "outcome.hpp"

using namespace perdure;
using namespace std::chrono_literals;

namespace {

using words = std::vector<std::string>;

const shop::order an_order{"A", 1};

task<std::string> sleep_a_day(context ctx)
{
    co_await ctx.sleep(24h);
    co_return "slept";
}

} // namespace

TEST_CASE("cancelling the instance ends a sleep at once, and its timer is waited for no more")
{
    instance sleeper = text_instance(sleep_a_day);
    CHECK(sleeper.activate().next_timer.has_value());
    sleeper.cancel();
    const decision last = sleeper.activate();
    CHECK(commands(last) == words{"timer_cancelled #1", "workflow_cancelled"});
    CHECK(!last.next_timer);
    REQUIRE(last.finish);
    CHECK(last.finish->kind == finish::kind::cancelled);
    CHECK(decode_failure(last.finish->data).type == "perdure::cancelled");
    CHECK(
        sleeper.types() == words{
                               "workflow_started", "workflow_task", "timer_started",
                               "cancel_requested", "workflow_task", "timer_cancelled",
                               "workflow_cancelled"});
    sleeper.check_replays();
}

TEST_CASE("a timer cancelled before the step ends is never scheduled")
{
    instance hasty = text_instance(sleep_a_day);
    hasty.cancel();
    const decision only = hasty.activate();
    CHECK(!only.next_timer);
    CHECK(commands(only) == words{"timer_started #1", "timer_cancelled #1", "workflow_cancelled"});
    hasty.check_replays();
}

TEST_CASE("cancelling twice is harmless")
{
    const auto stubborn = [](context ctx) -> task<std::string> {
        int times = 0;
        for (int i = 0; i != 3; ++i) {
            const auto slept = co_await ctx.sleep(1h).as_result();
            if (!slept) ++times;
            co_await ctx.shielded().receive(shop::go);
        }
        co_return std::to_string(times);
    };
    instance twice = text_instance(stubborn);
    twice.activate();
    twice.cancel();
    twice.cancel();
    twice.activate();
    twice.signal(shop::go());
    twice.cancel();
    twice.activate();
    twice.signal(shop::go());
    twice.signal(shop::go());
    CHECK(result_of(twice.activate()) == "3"); // it stays in force, however often it is asked for
    twice.check_replays();
}

TEST_CASE("a timer that comes due while it is being cancelled does no harm")
{
    const auto code = [](context ctx) -> task<std::string> {
        const auto slept = co_await ctx.sleep(1h).as_result();
        co_return slept ? "slept" : slept.failure().what();
    };
    SUBCASE("the request came first")
    {
        instance both = text_instance(code);
        both.activate();
        both.now += 30min;
        both.cancel();
        both.now += 2h;
        const decision last = both.activate();
        CHECK(result_of(last) == "cancelled");
        CHECK(commands(last) == words{"timer_cancelled #1", "workflow_completed"});
        both.check_replays();
    }
    SUBCASE("the timer was due first")
    {
        instance both = text_instance(code);
        both.activate();
        both.now += 90min;
        both.cancel();
        both.now += 1h;
        CHECK(result_of(both.activate()) == "slept");
        both.check_replays();
    }
    SUBCASE("it fires although it was cancelled")
    {
        instance both = text_instance([](context ctx) -> task<std::string> {
            const auto slept = co_await ctx.sleep(1h).as_result();
            co_await ctx.shielded().receive(shop::go);
            co_return slept ? "slept" : "cancelled";
        });
        both.activate();
        both.cancel();
        both.activate();
        both.fire(1);
        both.signal(shop::go());
        CHECK(result_of(both.activate()) == "cancelled");
        both.check_replays();
    }
}

TEST_CASE("an activity that was being awaited is no longer wanted; its late result is ignored")
{
    instance charging = text_instance([](context ctx) -> task<std::string> {
        const auto charged = co_await ctx.run(shop::charge(an_order)).as_result();
        CHECK(charged.failure().kind() == errc::cancelled);
        CHECK_THROWS_AS(charged.value(), const cancelled&);
        co_await ctx.shielded().receive(shop::go);
        co_return "not charged";
    });
    charging.activate();
    charging.cancel();
    const decision second = charging.activate();
    CHECK(commands(second) == words{"activity_cancelled #1"});
    CHECK(second.cancelled_activities == std::vector<std::int32_t>{1});
    charging.complete(1, R"("payment")");
    charging.signal(shop::go());
    const decision last = charging.activate();
    CHECK(result_of(last) == "not charged");
    CHECK(last.cancelled_activities.empty());
    charging.check_replays();
}

TEST_CASE("an activity that was scheduled in the step in which it is cancelled never runs")
{
    instance charging = text_instance([](context ctx) -> task<std::string> {
        auto shipped = ctx.start(shop::ship(an_order));
        const auto charged = co_await ctx.run(shop::charge(an_order)).as_result();
        if (charged) co_return "charged";
        co_return co_await ctx.shielded().run(shop::charge(an_order));
    });
    charging.cancel();
    const decision only = charging.activate();
    CHECK(
        commands(only) == words{
                              "activity_scheduled #1 ship", "activity_scheduled #2 charge",
                              "activity_cancelled #2", "activity_scheduled #3 charge"});
    REQUIRE(only.activities.size() == 2);
    CHECK(only.activities[0].operation == 1);
    CHECK(only.activities[1].operation == 3);
    CHECK(only.cancelled_activities.empty());
    charging.complete(3, R"("payment")");
    charging.complete(1, "null");
    CHECK(result_of(charging.activate()) == "payment");
    charging.check_replays();
}

TEST_CASE("what is awaited after the request throws at once and emits no command")
{
    instance late = text_instance([](context ctx) -> task<std::string> {
        const auto effect = [] {
            FAIL_CHECK("a side effect is not run after a cancellation");
            return 1;
        };
        std::string seen;
        const auto note = co_await ctx.receive(shop::note).as_result();
        if (!note) seen += "receive ";
        const auto ran = co_await ctx.run(shop::charge(an_order)).as_result();
        if (!ran) seen += "run ";
        const auto slept = co_await ctx.sleep(0s).as_result();
        if (!slept) seen += "sleep ";
        const auto limited = co_await ctx.receive(shop::go).as_result().within(1h);
        if (limited && !*limited) seen += "within ";
        const auto drawn = co_await ctx.side_effect(effect).as_result();
        if (!drawn) seen += "side_effect ";
        try {
            co_await ctx.continue_as_new(shop::text());
        } catch (const cancelled&) {
            seen += "continue_as_new ";
        }
        auto started = ctx.start(shop::charge(an_order));
        const auto awaited = co_await started.as_result();
        if (!awaited) seen += "future";
        co_return seen;
    });
    late.activate();
    late.cancel();
    late.signal(shop::note("for somebody else"));
    const decision last = late.activate();
    CHECK(result_of(last) == "receive run sleep within side_effect continue_as_new future");
    CHECK(
        commands(last) ==
        words{"activity_scheduled #1 charge", "activity_cancelled #1", "workflow_completed"});
    late.check_replays();
}

TEST_CASE("shielded operations are not interrupted: compensation runs to its end")
{
    const auto refund = [](context ctx, std::string payment) -> task<> {
        co_await ctx.run(shop::refund(payment));
        co_await ctx.sleep(1h);
    };
    instance saga = text_instance([&](context ctx) -> task<std::string> {
        std::string payment = co_await ctx.run(shop::charge(an_order));
        bool stopped = false;
        try {
            co_await ctx.run(shop::ship(an_order));
        } catch (const cancelled&) {
            stopped = true;
        }
        if (stopped) {
            co_await refund(ctx.shielded(), payment);
            throw cancelled();
        }
        co_return payment;
    });
    saga.activate();
    saga.complete(1, R"("payment")");
    saga.activate();
    saga.cancel();
    CHECK(
        commands(saga.activate()) ==
        words{"activity_cancelled #2", "activity_scheduled #3 refund"});
    saga.complete(3, "null");
    CHECK(commands(saga.activate()) == words{"timer_started #4"});
    const decision last = saga.activate_at_next_timer();
    REQUIRE(last.finish);
    CHECK(last.finish->kind == finish::kind::cancelled);
    saga.check_replays();
}

TEST_CASE("a workflow that catches a cancellation and returns, returns")
{
    instance calm = text_instance([](context ctx) -> task<std::string> {
        std::string word = "went";
        try {
            co_await ctx.receive(shop::go);
        } catch (const cancelled& why) {
            word = why.what();
        }
        co_return word;
    });
    calm.activate();
    calm.cancel();
    CHECK(result_of(calm.activate()) == "cancelled");
    CHECK(calm.types().back() == "workflow_completed");
    calm.check_replays();
}

TEST_CASE("a workflow that answers a cancellation with another exception has failed")
{
    instance angry = text_instance([](context ctx) -> task<std::string> {
        const auto went = co_await ctx.receive(shop::go).as_result();
        if (!went) throw std::runtime_error("not now");
        co_return "went";
    });
    angry.activate();
    angry.cancel();
    const decision last = angry.activate();
    REQUIRE(last.finish);
    CHECK(last.finish->kind == finish::kind::failed);
    CHECK(decode_failure(last.finish->data).message == "not now");
    angry.check_replays();
}

TEST_CASE("cancelled thrown by code whose instance nobody asked to end is a failure")
{
    instance pretends = text_instance([](context) -> task<std::string> {
        throw cancelled();
        co_return "";
    });
    CHECK(pretends.activate().finish->kind == finish::kind::failed);
    pretends.check_replays();
}

TEST_CASE("a cancellation reaches all that is parked, in the order in which it was")
{
    instance many = text_instance([](context ctx) -> task<std::string> {
        std::string order;
        const auto helper = [&order](context inner, std::string name) -> task<> {
            const auto went = co_await inner.run(shop::refund(name)).as_result();
            order += went ? "?" : name;
        };
        auto a = ctx.spawn(helper, "a");
        auto b = ctx.spawn(helper, "b");
        const auto went = co_await ctx.receive(shop::go).as_result();
        order += went ? "?" : "root";
        co_await a;
        co_await b;
        co_return order;
    });
    many.activate();
    many.cancel();
    const decision last = many.activate();
    CHECK(result_of(last) == "rootab");
    CHECK(
        commands(last) ==
        words{"activity_cancelled #1", "activity_cancelled #2", "workflow_completed"});
    many.check_replays();
}

TEST_CASE("a cancelled receive leaves its signal to the next one")
{
    instance shy = text_instance([](context ctx) -> task<std::string> {
        const auto kept = ctx.receive(shop::note);
        const auto none = co_await kept.as_result();
        const std::string note = co_await ctx.shielded().receive(shop::note);
        co_return (none ? "?" : "") + note;
    });
    shy.activate();
    shy.cancel();
    shy.signal(shop::note("kept"));
    CHECK(result_of(shy.activate()) == "kept");
    shy.check_replays();
}

TEST_CASE("a request that the code has not seen when it continues as new is carried over")
{
    const auto code = [](context ctx) -> task<std::string> {
        co_await ctx.shielded().receive(shop::go);
        co_return co_await ctx.shielded().continue_as_new(shop::text());
    };
    const auto requests = [](const decision& last) {
        REQUIRE(last.finish);
        CHECK(last.finish->kind == finish::kind::continued);
        return std::count_if(
            last.finish->carried.begin(), last.finish->carried.end(),
            [](const event& each) { return each.type == event_type::cancel_requested; });
    };
    SUBCASE("it came before")
    {
        instance run = text_instance(code);
        run.activate();
        run.cancel();
        run.cancel();
        run.activate();
        run.signal(shop::go());
        CHECK(requests(run.activate()) == 1);
        run.check_replays();
    }
    SUBCASE("it came in the same step, after the run had ended")
    {
        instance run = text_instance(code);
        run.activate();
        run.signal(shop::go());
        run.cancel();
        run.cancel();
        CHECK(requests(run.activate()) == 1);
        run.check_replays();
    }
    SUBCASE("something else came in that step")
    {
        instance run = text_instance(code);
        run.activate();
        run.signal(shop::go());
        run.complete(1, "null");
        const decision last = run.activate();
        REQUIRE(last.finish);
        CHECK(last.finish->carried.empty());
    }
    SUBCASE("it was seen")
    {
        instance run = text_instance([](context ctx) -> task<std::string> {
            const auto went = co_await ctx.receive(shop::go).as_result();
            if (went) co_return "?";
            co_return co_await ctx.shielded().continue_as_new(shop::text());
        });
        run.activate();
        run.cancel();
        CHECK(requests(run.activate()) == 0);
        run.check_replays();
    }
}

TEST_CASE("a run that was asked to end and returns in the same step has returned")
{
    instance quick = text_instance([](context ctx) -> task<std::string> {
        co_await ctx.receive(shop::go);
        co_return "went";
    });
    quick.activate();
    quick.signal(shop::go());
    quick.cancel();
    CHECK(result_of(quick.activate()) == "went");
    quick.check_replays();
}
