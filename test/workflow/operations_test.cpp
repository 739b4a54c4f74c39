// Activities, timers, side effects, UUIDs: what they record and what they give.
#include "expect.hpp"
#include "instance.hpp"
#include "shop.hpp"

#include <boost/uuid/uuid_io.hpp>

#include <set>

using namespace perdure;
using namespace std::chrono_literals;

namespace {

using words = std::vector<std::string>;

std::string result_of(const decision& last)
{
    REQUIRE(last.finish);
    return last.finish->kind == finish::kind::completed
               ? decode<std::string>(last.finish->data)
               : describe(decode_failure(last.finish->data));
}

failure_info failure_of(const application_failure& thrown)
{
    return thrown.info();
}

} // namespace

TEST_CASE("a failed activity is thrown where it was awaited, with the cause it gave")
{
    const auto code = implement(shop::text, [](context ctx) -> task<std::string> {
        const shop::order order{"A", 1};
        try {
            co_await ctx.run(shop::charge(order));
        } catch (const activity_failed& failure) {
            const auto fields = failure.failed_as(shop::card_declined);
            co_return failure.info().message + ", " + (fields ? fields->reason : "?");
        }
        co_return "charged";
    });
    instance charge(code, shop::text());
    charge.activate();
    charge.fail(1, failure_of(shop::card_declined(shop::declined{"over the limit"})));
    CHECK(result_of(charge.activate()) == "activity charge failed, over the limit");
    charge.check_replays();
}

TEST_CASE("an activity's failure that the workflow lets out is its failure, the causes kept")
{
    const auto code = implement(shop::text, [](context ctx) -> task<std::string> {
        co_await ctx.run(shop::refund("payment 1"));
        co_return "refunded";
    });
    instance refund(code, shop::text());
    refund.activate();
    refund.fail(1, {"std::runtime_error", "bank closed", {}, true, nullptr});
    const decision last = refund.activate();
    REQUIRE(last.finish);
    CHECK(last.finish->kind == finish::kind::failed);
    const failure_info info = decode_failure(last.finish->data);
    CHECK(info.type == "perdure::activity_failed");
    REQUIRE(info.cause);
    CHECK(info.cause->message == "bank closed");
    refund.check_replays();
}

TEST_CASE("as_result gives a failure as a value")
{
    const auto code = implement(shop::text, [](context ctx) -> task<std::string> {
        const shop::order order{"A", 1};
        auto charged = co_await ctx.run(shop::charge(order)).as_result();
        auto shipped = co_await ctx.run(shop::ship(order)).as_result();
        auto refunded = co_await ctx.run(shop::refund("x")).as_result().within(1h);
        if (charged || !shipped || refunded) co_return "wrong";
        CHECK_THROWS_AS(charged.value(), const activity_failed&);
        CHECK(charged.failed_with(shop::card_declined));
        CHECK(!charged.failed_as(shop::sold_out));
        CHECK(!shipped.failed_as(shop::card_declined));
        co_return charged.failed_as(shop::card_declined)->reason;
    });
    instance results(code, shop::text());
    results.activate();
    results.fail(1, failure_of(shop::card_declined(shop::declined{"over the limit"})));
    results.activate();
    results.complete(2, "null");
    results.activate();
    CHECK(result_of(results.activate_at_next_timer()) == "over the limit");
    results.check_replays();
}

TEST_CASE("a result of another type is thrown where it was awaited, as malformed_payload")
{
    const auto code = implement(shop::text, [](context ctx) -> task<std::string> {
        const shop::order order{"A", 1};
        auto charged = co_await ctx.run(shop::charge(order)).as_result();
        co_return charged ? "charged" : "failed";
    });
    instance strange(code, shop::text());
    strange.activate();
    strange.complete(1, "[1]");
    const decision last = strange.activate();
    CHECK(last.finish->kind == finish::kind::failed);
    CHECK(result_of(last) == "the result of activity charge: expected a string, found array of 1");
    strange.check_replays();
}

TEST_CASE("started activities run side by side, and a future may be awaited more than once")
{
    const auto code = implement(shop::text, [](context ctx) -> task<std::string> {
        const shop::order order{"A", 1};
        auto first = ctx.start(shop::charge(order));
        auto second = ctx.start(shop::charge(order));
        const std::string b = co_await second;
        const std::string a = co_await first;
        const std::string again = co_await first;
        const std::optional<std::string> timed = co_await second.within(1h);
        co_return a + b + again + timed.value_or("-");
    });
    instance parallel(code, shop::text());
    CHECK(parallel.activate().activities.size() == 2);
    parallel.complete(1, R"("a")");
    CHECK(!parallel.activate().finish);
    parallel.complete(2, R"("b")");
    CHECK(result_of(parallel.activate()) == "abab");
    parallel.check_replays();
}

TEST_CASE("an activity whose time ran out goes on; its outcome can still be awaited")
{
    const auto code = implement(shop::text, [](context ctx) -> task<std::string> {
        const shop::order order{"A", 1};
        auto charge = ctx.start(shop::charge(order));
        const std::optional<std::string> early = co_await charge.within(1min);
        const std::string late = co_await charge;
        co_return early.value_or("late: ") + late;
    });
    instance slow(code, shop::text());
    slow.activate();
    slow.activate_at_next_timer();
    slow.complete(1, R"("payment")");
    CHECK(result_of(slow.activate()) == "late: payment");
    slow.check_replays();
}

TEST_CASE("a workflow may end with futures pending: nothing of them is left to do")
{
    const auto code = implement(shop::text, [](context ctx) -> task<std::string> {
        auto forgotten = ctx.start(shop::refund("x"));
        const bool done = co_await forgotten.within(1h);
        ctx.start(shop::refund("y"));
        co_return done ? "done" : "gone";
    });
    instance hasty(code, shop::text());
    hasty.activate();
    const decision last = hasty.activate_at_next_timer();
    CHECK(result_of(last) == "gone");
    CHECK(last.activities.empty());
    CHECK(!last.next_timer);
    CHECK_THROWS_AS(hasty.activate(), const error&);
    hasty.check_replays();
}

TEST_CASE("a sleep ends when its timer fires, not before")
{
    const auto code = implement(shop::text, [](context ctx) -> task<std::string> {
        const timestamp before = ctx.now();
        co_await ctx.sleep(1h);
        co_await ctx.sleep(0s);
        co_await ctx.sleep(-1h);
        co_return ctx.now() >= before + 1h ? "slept" : "woke early";
    });
    instance sleeper(code, shop::text());
    const decision first = sleeper.activate();
    CHECK(first.next_timer == sleeper.now + 1h);
    sleeper.now += 59min;
    CHECK(sleeper.activate().events.empty());
    const decision last = sleeper.activate_at_next_timer();
    CHECK(result_of(last) == "slept");
    CHECK(
        sleeper.types() == words{
                               "workflow_started", "workflow_task", "timer_started", "timer_fired",
                               "workflow_task", "workflow_completed"});
    sleeper.check_replays();
}

TEST_CASE("a sleep without an end does not wrap round")
{
    const auto code = implement(shop::text, [](context ctx) -> task<std::string> {
        co_await ctx.sleep(std::chrono::microseconds::max());
        co_return "never";
    });
    instance forever(code, shop::text());
    CHECK(forever.activate().next_timer == timestamp::max());
    forever.check_replays();
}

TEST_CASE("a timer that is started and lost in one activation is not waited for")
{
    const auto code = implement(shop::text, [](context ctx) -> task<std::string> {
        const std::optional<std::string> note = co_await ctx.receive(shop::note).within(1h);
        co_await ctx.receive(shop::go);
        co_return note.value_or("-");
    });
    instance quick(code, shop::text());
    quick.signal(shop::go());
    quick.signal(shop::note("at once"));
    const decision last = quick.activate();
    CHECK(result_of(last) == "at once");
    CHECK(
        quick.types() == words{
                             "workflow_started", "signal_received", "signal_received",
                             "workflow_task", "timer_started", "timer_cancelled",
                             "workflow_completed"});
    quick.check_replays();
}

TEST_CASE("two side effects with a task between them run once each")
{
    int calls = 0;
    const auto code = implement(shop::text, [&calls](context ctx) -> task<std::string> {
        const auto count = [&calls] { return ++calls; };
        const int first = co_await ctx.side_effect(count);
        co_await ctx.receive(shop::go);
        const int second = co_await ctx.side_effect(count);
        co_return std::to_string(first) + std::to_string(second);
    });
    instance effects(code, shop::text());
    effects.activate();
    effects.signal(shop::go());
    CHECK(result_of(effects.activate()) == "12");
    CHECK(calls == 2);
    replayer again(effects.code(), effects.info());
    again.replay(effects.history());
    CHECK(again.finished());
    CHECK(calls == 2);
}

TEST_CASE("an exception that leaves a side effect is thrown the same way in a replay")
{
    const auto code = implement(shop::text, [](context ctx) -> task<std::string> {
        const auto fails = []() -> int { throw std::out_of_range("no entropy"); };
        std::string said;
        try {
            co_await ctx.side_effect(fails);
        } catch (const application_failure& failure) {
            said = failure.info().type + " " + failure.info().message;
        }
        co_await ctx.receive(shop::go);
        co_return said;
    });
    instance broken(code, shop::text());
    broken.activate();
    broken.signal(shop::go());
    CHECK(result_of(broken.activate()) == "std::out_of_range no entropy");
    broken.check_replays();
}

TEST_CASE("UUIDs are of version 5, all different, and the same in each replay")
{
    const auto code = implement(shop::text, [](context ctx) -> task<std::string> {
        const boost::uuids::uuid first = ctx.uuid();
        co_await ctx.receive(shop::go);
        co_return to_string(first) + " " + to_string(ctx.uuid());
    });
    std::set<std::string> all;
    for (const char* id : {"order-1", "order-2"}) {
        instance draws(code, shop::text(), id);
        draws.activate();
        draws.signal(shop::go());
        const std::string both = result_of(draws.activate());
        CHECK(both[14] == '5');
        all.insert(both.substr(0, 36));
        all.insert(both.substr(37));
        draws.check_replays();
    }
    CHECK(all.size() == 4);
}

TEST_CASE("continue-as-new ends the run with the next one's arguments and carries unreceived "
          "signals over")
{
    const auto code = implement(shop::countdown, [](context ctx, int n) -> task<int> {
        co_await ctx.receive(shop::go);
        if (n == 0) co_return 0;
        co_return co_await ctx.continue_as_new(shop::countdown(n - 1));
    });
    instance run(code, shop::countdown(3));
    run.signal(shop::note("early"));
    run.activate();
    run.signal(shop::go());
    run.signal(shop::note("late"));
    const decision last = run.activate();
    REQUIRE(last.finish);
    CHECK(last.finish->kind == finish::kind::continued);
    CHECK(last.finish->workflow == "countdown");
    CHECK(last.finish->data.text() == "[2]");
    REQUIRE(last.finish->carried.size() == 2);
    CHECK(last.finish->carried[0].data.text() == "\"early\"");
    CHECK(last.finish->carried[1].data.text() == "\"late\"");
    run.check_replays();
}

TEST_CASE("info tells id, queue and run")
{
    const auto code = implement(shop::text, [](context ctx) -> task<std::string> {
        co_return ctx.info().id + " " + ctx.info().queue + " " + std::to_string(ctx.info().run);
    });
    instance told(code, shop::text());
    CHECK(result_of(told.activate()) == "order-1 default 1");
}
