// End to end: workers that freeze, come back, or leave. A process whose io_context is not run is
// frozen as if it had been stopped by the scheduler or cut off: its leases run out while it knows
// nothing of it.
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

constexpr workflow<"relay", std::string()> relay;
constexpr activity<"carry", std::string()> carry;

task<std::string> run_relay(context ctx)
{
    std::string carried = co_await ctx.run(carry());
    co_return carried;
}

/// Carries until it is told to let go.
struct carrier
{
    explicit carrier(std::string says, bool at_once = false)
        : name{std::move(says)}, let_go{at_once}
    {}

    std::string name;
    bool let_go;
    bool begun = false;
    std::vector<int> attempts;

    asio::awaitable<std::string> operator()(activity_context ctx)
    {
        attempts.push_back(ctx.attempt());
        begun = true;
        co_await wait_until([this] { return let_go; });
        co_return name;
    }
};

worker_options short_lease(const installation& on)
{
    return on.workers().lease(300ms);
}

void employ(process& where, carrier& who, const worker_options& options)
{
    worker& runs = where.add_worker(options);
    runs.implement(relay, run_relay);
    runs.implement(carry, [&who](activity_context ctx) { return who(ctx); });
    where.start_all();
}

} // namespace

TEST_CASE("C: a worker that froze loses its lease to another, and what it comes back with changes "
          "nothing")
{
    for (const setting how : every_setting) {
        CAPTURE(to_string(how));
        const installation on{how};
        carrier first{"first"};
        carrier second{"second", true};
        process frozen{on};
        employ(frozen, first, short_lease(on));
        frozen.run([&]() -> asio::awaitable<void> {
            co_await frozen.client().start(relay().id("relay"));
            co_await wait_until([&] { return first.begun; });
        });
        // From here on the first process stands still, its lease runs out, and the second takes
        // over.
        process other{on};
        employ(other, second, short_lease(on));
        const std::string result = other.run([&]() -> asio::awaitable<std::string> {
            std::string answer = co_await other.client().get(relay, "relay").result();
            co_return answer;
        });
        CHECK(result == "second");
        CHECK(second.attempts == std::vector<int>{2});

        first.let_go = true;
        frozen.run([&]() -> asio::awaitable<void> {
            co_await wait_until([&] { return frozen.logged("lease"); });
            const auto history = co_await frozen.client().get("relay").history();
            CHECK(history.back().data.text() == "\"second\"");
        });
    }
}

TEST_CASE("a lease is extended for as long as the activity runs")
{
    const installation on;
    carrier slow{"slow"};
    carrier idle{"idle", true};
    process here{on};
    employ(here, slow, short_lease(on));
    employ(here, idle, short_lease(on));
    here.run([&]() -> asio::awaitable<void> {
        auto started = co_await here.client().start(relay());
        co_await wait_until([&] { return slow.begun || idle.begun; });
        if (slow.begun) {
            co_await pause(1s); // more than three leases
            CHECK_FALSE(idle.begun);
        }
        slow.let_go = true;
        co_await started.result();
    });
    CHECK(slow.attempts.size() + idle.attempts.size() == 1);
}

TEST_CASE("a draining worker hands back what does not end in time, its attempt not counted")
{
    for (const setting how : every_setting) {
        CAPTURE(to_string(how));
        const installation on{how};
        carrier leaving{"leaving"};
        carrier staying{"staying", true};
        process here{on};
        employ(here, leaving, on.workers());
        here.run([&]() -> asio::awaitable<void> {
            co_await here.client().start(relay().id("relay"));
            co_await wait_until([&] { return leaving.begun; });
        });
        here.stop(0s);

        process other{on};
        employ(other, staying, on.workers());
        const std::string result = other.run([&]() -> asio::awaitable<std::string> {
            std::string answer = co_await other.client().get(relay, "relay").result();
            co_return answer;
        });
        CHECK(result == "staying"); // long before the lease of ten seconds would have ended
        CHECK(staying.attempts == std::vector<int>{1});
    }
}

TEST_CASE("a draining worker lets what is in flight finish")
{
    const installation on;
    carrier finishing{"finishing"};
    process here{on};
    employ(here, finishing, on.workers());
    here.run([&]() -> asio::awaitable<void> {
        co_await here.client().start(relay().id("relay"));
        co_await wait_until([&] { return finishing.begun; });
        here.drain(10s);
        finishing.let_go = true;
        co_await wait_until([&] { return here.running() == 0; });
        const auto state = co_await here.client().get("relay").state();
        CHECK(state.pending_events == 1); // its result was recorded, nobody was there to go on
    });
}

TEST_CASE("an activity that outlasts its start_to_close is cancelled and tried again")
{
    const installation on;
    static constexpr workflow<"hurry", std::string()> hurry;
    carrier slow{"slow"};
    process here{on};
    worker& runs = here.add_worker();
    runs.implement(hurry, [](context ctx) -> task<std::string> {
        auto call = carry().start_to_close(20ms).attempts(2).backoff(1ms);
        auto carried = co_await ctx.run(std::move(call)).as_result();
        if (carried) co_return carried.value();
        co_return carried.failure().info().cause->type;
    });
    runs.implement(carry, [&slow](activity_context ctx) { return slow(ctx); });
    here.start_all();
    const std::string result = here.result_of(hurry());
    CHECK(result == "timed-out");
    CHECK(slow.attempts == std::vector<int>{1, 2});
}
