// Tasks that run beside each other.
#include "outcome.hpp"

#include <memory>
#include <stdexcept>

using namespace perdure;
using namespace std::chrono_literals;

namespace {

using words = std::vector<std::string>;

const shop::order an_order{"A", 1};

task<std::string> charge_one(context ctx, std::string id)
{
    const shop::order order{id, 1};
    co_return co_await ctx.run(shop::charge(order));
}

task<> fail_after_go(context ctx)
{
    co_await ctx.receive(shop::go);
    throw std::out_of_range("from below");
}

task<std::unique_ptr<int>> make_owner(context ctx)
{
    co_await ctx.sleep(1h);
    co_return std::make_unique<int>(5);
}

} // namespace

TEST_CASE("a spawned task runs when its spawner waits, and may be awaited more than once")
{
    instance parallel = text_instance([](context ctx) -> task<std::string> {
        auto first = ctx.spawn(charge_one(ctx, "A"));
        auto second = ctx.spawn(charge_one, std::string("B"));
        auto direct = ctx.start(shop::ship(an_order));
        const std::string b = co_await second;
        const std::string a = co_await first;
        const std::string again = co_await second;
        co_await direct;
        co_return a + b + again;
    });
    const decision start = parallel.activate();
    CHECK(
        commands(start) == words{
                               "activity_scheduled #1 ship", "activity_scheduled #2 charge",
                               "activity_scheduled #3 charge"});
    parallel.complete(2, R"("a")");
    parallel.complete(1, "null");
    CHECK(!parallel.activate().finish);
    parallel.complete(3, R"("b")");
    CHECK(result_of(parallel.activate()) == "abb");
    parallel.check_replays();
}

TEST_CASE("what leaves a spawned task is thrown where it is awaited, each time")
{
    instance fails = text_instance([](context ctx) -> task<std::string> {
        auto failing = ctx.spawn(fail_after_go(ctx));
        std::string said;
        for (int i = 0; i != 2; ++i) {
            try {
                co_await failing;
            } catch (const std::out_of_range& thrown) {
                said += thrown.what();
            }
        }
        const auto failed = co_await failing.as_result();
        CHECK(failed.failure().kind() == errc::application_failure);
        CHECK(failed.failure().info().type == "std::out_of_range");
        co_return said + failed.failure().what();
    });
    fails.activate();
    fails.signal(shop::go());
    CHECK(result_of(fails.activate()) == "from belowfrom belowfrom below");
    fails.check_replays();
}

TEST_CASE("a failure that leaves a spawned task keeps its type as a result")
{
    instance fails = text_instance([](context ctx) -> task<std::string> {
        auto failing = ctx.spawn(charge_one(ctx, "A"));
        const auto failed = co_await failing.as_result();
        CHECK_THROWS_AS(failed.value(), const activity_failed&);
        co_return failed.failed_as(shop::card_declined)->reason;
    });
    fails.activate();
    fails.fail(1, shop::card_declined(shop::declined{"over the limit"}).info());
    CHECK(result_of(fails.activate()) == "over the limit");
    fails.check_replays();
}

TEST_CASE("an exception that nobody awaits ends with the run, whose outcome is the root's")
{
    instance careless = text_instance([](context ctx) -> task<std::string> {
        ctx.spawn(fail_after_go(ctx));
        co_await ctx.sleep(1h);
        co_return "fine";
    });
    careless.activate();
    careless.signal(shop::go());
    CHECK(!careless.activate().finish);
    CHECK(result_of(careless.activate_at_next_timer()) == "fine");
    careless.check_replays();
}

TEST_CASE("a spawned task that is still waiting at the end of the run is destroyed, not resumed")
{
    int alive = 0;
    {
        instance hasty = text_instance([&alive](context ctx) -> task<std::string> {
            struct tracker
            {
                int& count;
                explicit tracker(int& n) : count(n) { ++count; }
                ~tracker() { --count; }
            };
            const auto wait = [&alive](context inner) -> task<> {
                const tracker local(alive);
                co_await inner.receive(shop::note);
                FAIL_CHECK("not resumed");
            };
            ctx.spawn(wait);
            ctx.spawn(wait);
            co_await ctx.receive(shop::go);
            co_return "done";
        });
        hasty.activate();
        CHECK(alive == 2);
        hasty.signal(shop::go());
        hasty.signal(shop::note("too late"));
        CHECK(result_of(hasty.activate()) == "done");
        hasty.check_replays();
    }
    CHECK(alive == 0);
}

TEST_CASE("a spawned task gives any type; what can only be moved is awaited once")
{
    instance owner = text_instance([](context ctx) -> task<std::string> {
        auto made = ctx.spawn(make_owner(ctx));
        const bool early = (co_await made.within(1min)).has_value();
        const std::unique_ptr<int> value = co_await std::move(made);
        co_return std::to_string(*value) + (early ? " early" : " late");
    });
    owner.activate();
    owner.activate_at_next_timer();
    CHECK(result_of(owner.activate_at_next_timer()) == "5 late");
    owner.check_replays();
}

TEST_CASE("spawn keeps a closure and its arguments as long as the task runs")
{
    instance keeps = text_instance([](context ctx) -> task<std::string> {
        const std::string prefix = "a text that is too long for the small string optimisation, ";
        const auto spawn_one = [&] {
            const auto work =
                [prefix](context inner, const std::string& word) -> task<std::string> {
                co_await inner.receive(shop::go);
                co_return prefix + word;
            };
            return ctx.spawn(work, std::string("another text that is too long for it"));
        };
        auto made = spawn_one();
        co_return co_await made;
    });
    keeps.activate();
    keeps.signal(shop::go());
    CHECK(
        result_of(keeps.activate()) == "a text that is too long for the small string optimisation, "
                                       "another text that is too long for it");
    keeps.check_replays();
}

TEST_CASE("a spawned task that got a shielded context is not interrupted")
{
    instance cleans = text_instance([](context ctx) -> task<std::string> {
        auto label = ctx.shielded().spawn(charge_one, std::string("A"));
        const auto went = co_await ctx.receive(shop::go).as_result();
        const std::string charged = co_await label;
        co_return went ? "?" : charged;
    });
    cleans.activate();
    cleans.cancel();
    CHECK(!cleans.activate().finish);
    cleans.complete(1, R"("cleaned")");
    CHECK(result_of(cleans.activate()) == "cleaned");
    cleans.check_replays();
}

TEST_CASE("ten thousand spawned tasks leave nothing behind when they have ended")
{
    instance many = text_instance([](context ctx) -> task<std::string> {
        int sum = 0;
        const auto alive = std::make_shared<int>(); // counts the frames that hold it
        const auto add = [&sum](context, int n, std::shared_ptr<int>) -> task<> {
            sum += n;
            co_return;
        };
        for (int i = 0; i != 10'000; ++i) ctx.spawn(add(ctx, i, alive));
        auto last = ctx.spawn(add(ctx, 0, alive));
        co_await last;
        co_return std::to_string(sum) + ", " + std::to_string(alive.use_count());
    });
    CHECK(result_of(many.activate()) == "49995000, 1");
}

TEST_CASE("an instance that is evicted destroys its spawned tasks before what they refer to")
{
    std::string seen;
    {
        instance evicted = text_instance([&seen](context ctx) -> task<std::string> {
            const auto word = std::make_unique<std::string>("there");
            class reader
            {
            public:
                reader(const std::string& from, std::string& to) : from_(from), to_(to) {}
                ~reader() { to_ += from_; }

            private:
                const std::string& from_;
                std::string& to_;
            };
            const auto read = [&seen](context inner, const std::string* from) -> task<> {
                const reader local(*from, seen);
                co_await inner.receive(shop::note);
            };
            ctx.spawn(read, word.get());
            co_await ctx.receive(shop::go);
            co_return "";
        });
        evicted.activate();
    }
    CHECK(seen == "there");
}

TEST_CASE("fan-in: the last of many results ends the wait, in whatever order they come")
{
    instance fan = text_instance([](context ctx) -> task<std::string> {
        std::vector<spawned<std::string>> all;
        for (int i = 0; i != 50; ++i) all.push_back(ctx.spawn(charge_one, std::to_string(i)));
        std::string joined;
        for (const auto& each : all) {
            joined += co_await each;
        }
        co_return joined;
    });
    CHECK(fan.activate().activities.size() == 50);
    for (int i = 50; i != 0; --i) {
        CHECK(!fan.finished());
        fan.complete(i, R"("x")");
        fan.activate();
    }
    CHECK(fan.finished());
    fan.check_replays();
}
