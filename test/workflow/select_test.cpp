// Waiting for the first of several things.
#include "expect.hpp"
#include "outcome.hpp"

using namespace perdure;
using namespace std::chrono_literals;

namespace {

using words = std::vector<std::string>;

const shop::order an_order{"A", 1};

task<std::string> nap(context ctx, std::chrono::seconds length, std::string word)
{
    co_await ctx.sleep(length);
    co_return word;
}

/// Ends only when it has taken back what it did.
task<std::string> reluctant(context ctx)
{
    const auto shipped = co_await ctx.run(shop::ship(an_order)).as_result();
    if (!shipped) co_await ctx.shielded().run(shop::refund("shipping"));
    co_return "reluctant";
}

} // namespace

TEST_CASE("select gives what came first, and which it was")
{
    const auto code = [](context ctx) -> task<std::string> {
        auto first = co_await select(
            ctx.receive(shop::approve), ctx.run(shop::charge(an_order)), ctx.sleep(1h));
        if (first.index() == 0) co_return std::get<0>(first) ? "approved" : "refused";
        if (first.index() == 1) co_return std::get<1>(first);
        co_return "late";
    };
    SUBCASE("a signal")
    {
        instance race = text_instance(code);
        race.activate();
        race.signal(shop::approve(true));
        const decision last = race.activate();
        CHECK(result_of(last) == "approved");
        CHECK(
            commands(last) ==
            words{"activity_cancelled #1", "timer_cancelled #2", "workflow_completed"});
        race.check_replays();
    }
    SUBCASE("an activity")
    {
        instance race = text_instance(code);
        race.activate();
        race.complete(1, R"("payment")");
        race.signal(shop::approve(true));
        const decision last = race.activate();
        CHECK(result_of(last) == "payment");
        CHECK(commands(last) == words{"timer_cancelled #2", "workflow_completed"});
        race.check_replays();
    }
    SUBCASE("the time")
    {
        instance race = text_instance(code);
        race.activate();
        CHECK(result_of(race.activate_at_next_timer()) == "late");
        race.check_replays();
    }
    SUBCASE("something that was there already: nothing behind it is started")
    {
        instance race = text_instance(code);
        race.signal(shop::approve(false));
        race.activate(); // the signal comes behind the first await
        instance waits = text_instance([code](context ctx) -> task<std::string> {
            co_await ctx.receive(shop::go);
            co_return co_await code(ctx);
        });
        waits.signal(shop::approve(false));
        waits.signal(shop::go());
        const decision last = waits.activate();
        CHECK(result_of(last) == "refused");
        CHECK(commands(last) == words{"workflow_completed"});
        waits.check_replays();
    }
}

TEST_CASE("the failure of the winner is thrown, or a value as_result")
{
    instance race = text_instance([](context ctx) -> task<std::string> {
        auto first = co_await select(ctx.run(shop::charge(an_order)).as_result(), ctx.sleep(1h));
        auto second = co_await select(ctx.run(shop::charge(an_order)), ctx.sleep(1h)).as_result();
        std::string said;
        try {
            co_await select(ctx.run(shop::charge(an_order)), ctx.sleep(1h));
        } catch (const activity_failed& failure) {
            said = failure.info().cause->message;
        }
        co_return (std::get<0>(first) ? "?" : "1") + std::string(second ? "?" : "2") + said;
    });
    race.activate();
    for (const int operation : {1, 3, 5}) {
        race.fail(operation, {"odd", "3", {}, true, nullptr});
        race.activate();
    }
    CHECK(decode<std::string>(race.history().back().data) == "123");
    race.check_replays();
}

TEST_CASE("of futures that are complete already the one that was first wins")
{
    instance race = text_instance([](context ctx) -> task<std::string> {
        auto a = ctx.start(shop::charge(an_order));
        auto b = ctx.start(shop::charge(an_order));
        co_await ctx.receive(shop::go);
        auto first = co_await select(a, b.within(1h), ctx.sleep(1h));
        const std::string other = co_await a;
        co_return std::to_string(first.index()) + other;
    });
    race.activate();
    race.complete(2, R"("b")");
    race.complete(1, R"("a")");
    race.signal(shop::go());
    const decision last = race.activate();
    CHECK(result_of(last) == "1a");
    CHECK(commands(last) == words{"workflow_completed"});
    race.check_replays();
}

TEST_CASE("of operands that are complete at the same moment the first parameter wins")
{
    instance race = text_instance([](context ctx) -> task<std::string> {
        auto shared = ctx.start(shop::charge(an_order));
        auto first = co_await select(shared.within(1h), shared, shared);
        auto second = co_await select(ctx.sleep(0s), ctx.sleep(-1s));
        co_return std::to_string(first.index()) + std::to_string(second.index());
    });
    race.activate();
    race.complete(1, R"("x")");
    CHECK(result_of(race.activate()) == "00");
    race.check_replays();
}

TEST_CASE("a future survives the selects that it loses; so does a timer that was started")
{
    instance auction = text_instance([](context ctx) -> task<std::string> {
        const auto deadline = ctx.start(ctx.sleep(1h));
        std::string bids;
        bool open = true;
        while (open) {
            auto next = co_await select(deadline, ctx.receive(shop::note));
            if (next.index() == 0)
                open = false;
            else
                bids += std::get<1>(next);
        }
        co_return bids;
    });
    auction.activate();
    for (const char* bid : {"a", "b", "c"}) {
        auction.signal(shop::note(bid));
        CHECK(commands(auction.activate()).empty());
    }
    CHECK(result_of(auction.activate_at_next_timer()) == "abc");
    auction.check_replays();
}

TEST_CASE("a kept sleep that lost begins anew when it is awaited again")
{
    instance sleeper = text_instance([](context ctx) -> task<std::string> {
        const auto sleep = ctx.sleep(1h);
        co_await select(sleep, ctx.receive(shop::go));
        const timestamp before = ctx.now();
        co_await sleep;
        co_return ctx.now() == before + 1h ? "anew" : "?";
    });
    sleeper.activate();
    sleeper.now += 30min;
    sleeper.signal(shop::go());
    CHECK(commands(sleeper.activate()) == words{"timer_cancelled #1", "timer_started #2"});
    sleeper.now = *sleeper.history().back().due - 1ms;
    CHECK(result_of(sleeper.activate()) == "anew");
    sleeper.check_replays();
}

TEST_CASE("a sleep that somebody else awaits, too, goes on when one of them needs it no more")
{
    instance shared = text_instance([](context ctx) -> task<std::string> {
        const auto sleep = ctx.sleep(1h);
        const auto other = [](context, operation<void> kept) -> task<> { co_await kept; };
        auto waits = ctx.spawn(other, sleep);
        co_await select(sleep, ctx.receive(shop::go));
        co_await waits;
        co_return "slept";
    });
    shared.activate();
    shared.signal(shop::go());
    CHECK(commands(shared.activate()).empty());
    CHECK(result_of(shared.activate_at_next_timer()) == "slept");
    shared.check_replays();
}

TEST_CASE("a task that loses is cancelled and waited for, whatever it awaits")
{
    const auto code = [](context ctx) -> task<std::string> {
        auto beside = ctx.spawn(nap, 2h, std::string("beside"));
        const auto waits = [](spawned<std::string> other) -> task<std::string> {
            co_return co_await other;
        };
        auto first = co_await select(
            nap(ctx, 1min, "nap"), reluctant(ctx), waits(beside),
            when_all(ctx.run(shop::charge(an_order)), reluctant(ctx)));
        const timestamp decided = ctx.now();
        const std::string other = co_await beside;
        co_return std::get<0>(first) + ", " + other + (decided < ctx.now() ? " later" : " at once");
    };
    instance race = text_instance(code);
    race.activate();
    const decision second = race.activate_at_next_timer();
    CHECK(
        commands(second) == words{
                                "activity_cancelled #1", "activity_cancelled #3",
                                "activity_cancelled #4", "activity_scheduled #6 refund",
                                "activity_scheduled #7 refund"});
    race.complete(6, "null");
    CHECK(!race.activate().finish);
    race.complete(7, "null");
    race.activate();
    CHECK(result_of(race.activate_at_next_timer()) == "nap, beside later");
    race.check_replays();
}

TEST_CASE("select within a time")
{
    instance race = text_instance([](context ctx) -> task<std::string> {
        const auto none =
            co_await select(ctx.receive(shop::go), ctx.run(shop::charge(an_order))).within(1h);
        co_return none ? "?" : "late";
    });
    race.activate();
    const decision last = race.activate_at_next_timer();
    CHECK(result_of(last) == "late");
    CHECK(commands(last) == words{"activity_cancelled #1", "workflow_completed"});
    race.check_replays();
}

TEST_CASE("B2: parallel activities awaited through select come in the order of their results")
{
    for (const int count : {100, 1'000}) {
        instance many = text_instance([count](context ctx) -> task<std::string> {
            std::vector<future<int>> all;
            for (int i = 0; i != count; ++i) {
                all.push_back(ctx.start(perdure::activity<"square", int(int)>()(i)));
            }
            auto results = select(std::move(all));
            std::int64_t sum = 0;
            bool matching = true;
            std::string order;
            while (!results.empty()) {
                const auto next = co_await results;
                matching = matching && next.value == static_cast<int>(next.index);
                sum = sum * 31 % 1'000'003 + next.value;
            }
            co_return (matching ? "" : "mixed up ") + std::to_string(sum);
        });
        CHECK(many.activate().activities.size() == static_cast<std::size_t>(count));
        std::int64_t sum = 0;
        for (int i = 0; i != count; ++i) { // 7 has no common factor with the counts
            const int which = i * 7 % count;
            many.complete(which + 1, std::to_string(which));
            sum = sum * 31 % 1'000'003 + which;
            many.activate();
        }
        CHECK(many.finished());
        CHECK(decode<std::string>(many.history().back().data) == std::to_string(sum));
        if (count == 100) many.check_replays(1);
        replayer again(many.code(), many.info());
        again.replay(many.history());
        CHECK(again.finished());
    }
}

TEST_CASE(
    "a select over a vector starts its operands in order, once, and gives failures as results")
{
    instance some = text_instance([](context ctx) -> task<std::string> {
        auto early = ctx.start(shop::refund("early")).as_result();
        co_await ctx.receive(shop::go);
        std::vector<decltype(early)> all{
            ctx.run(shop::refund("a")).as_result(), ctx.run(shop::refund("b")).as_result(), early};
        auto results = select(all);
        std::string order;
        for (std::size_t left = results.size(); left != 0; --left) {
            CHECK(results.size() == left);
            const auto next = co_await results;
            order += std::to_string(next.index) + (next.value ? "+" : "-");
        }
        std::string said;
        try {
            co_await results;
        } catch (const error& refused) {
            said = refused.what();
        }
        CHECK(said.find("once more than it had operands") != std::string::npos);
        co_return order;
    });
    some.activate();
    some.complete(1, "null");
    some.signal(shop::go());
    CHECK(
        commands(some.activate()) ==
        words{"activity_scheduled #2 refund", "activity_scheduled #3 refund"});
    some.fail(3, {"odd", "unlucky", {}, true, nullptr});
    some.complete(2, "null");
    CHECK(result_of(some.activate()) == "2+1-0+");
    some.check_replays();
}

TEST_CASE("futures that are complete already come out of a select in the order in which they were")
{
    instance some = text_instance([](context ctx) -> task<std::string> {
        std::vector<future<void>> started;
        for (int i = 0; i != 4; ++i) started.push_back(ctx.start(shop::refund("x")));
        co_await ctx.receive(shop::go);
        auto results = select(started);
        std::string order;
        for (int i = 0; i != 4; ++i) {
            const auto next = co_await results;
            order += std::to_string(next.index);
        }
        co_return order;
    });
    some.activate();
    for (const int operation : {4, 2, 3}) some.complete(operation, "null");
    some.signal(shop::go());
    some.activate();
    some.complete(1, "null");
    CHECK(result_of(some.activate()) == "3120");
    some.check_replays();
}

TEST_CASE("what is left of a select over a vector is cancelled with it; futures are not")
{
    instance some = text_instance([](context ctx) -> task<std::string> {
        std::vector<operation<void>> naps{ctx.sleep(1h), ctx.sleep(1min), ctx.sleep(2h)};
        const auto first = co_await select(std::move(naps));
        std::vector<future<void>> started{ctx.start(ctx.sleep(3h)), ctx.start(ctx.sleep(4h))};
        const auto second = co_await select(started);
        co_await started[1];
        co_return std::to_string(first.index) + std::to_string(second.index);
    });
    some.activate();
    CHECK(
        commands(some.activate_at_next_timer()) ==
        words{"timer_cancelled #1", "timer_cancelled #3", "timer_started #4", "timer_started #5"});
    CHECK(commands(some.activate_at_next_timer()).empty());
    CHECK(result_of(some.activate_at_next_timer()) == "10");
    some.check_replays();
}

TEST_CASE("a select over a vector can stand in other selects, and be awaited for a time")
{
    instance nested = text_instance([](context ctx) -> task<std::string> {
        std::vector<operation<std::string>> all;
        for (int i = 0; i != 3; ++i) all.push_back(ctx.run(shop::charge(an_order)));
        auto results = select(std::move(all));
        const auto none = co_await results.within(1min);
        std::string order = none ? "?" : "-";
        const auto deadline = ctx.start(ctx.sleep(1h));
        bool in_time = true;
        while (in_time && !results.empty()) {
            auto next = co_await select(results, deadline);
            in_time = next.index() == 0;
            order += in_time ? std::get<0>(next).value : "!";
        }
        co_return order + std::to_string(results.size());
    });
    nested.activate();
    nested.activate_at_next_timer();
    nested.complete(2, R"("b")");
    nested.activate();
    nested.complete(1, R"("a")");
    nested.activate();
    const decision last = nested.activate_at_next_timer();
    CHECK(result_of(last) == "-ba!1");
    CHECK(commands(last) == words{"activity_cancelled #3", "workflow_completed"});
    nested.check_replays();
}
