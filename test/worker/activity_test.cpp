// When a worker claims activities and begins their code, and when not.
#include "acceptance/installation.hpp"
#include "proxy.hpp"

#include <perdure/workflow/context.hpp>
#include <perdure/workflow/definitions.hpp>
#include <perdure/workflow/task.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <deque>
#include <string>
#include <thread>

namespace asio = boost::asio;
using namespace perdure;
using namespace perdure::test;
using namespace std::chrono_literals;

namespace {

constexpr workflow<"many", void(int)> many;
constexpr activity<"block", void()> block;
constexpr activity<"effect", void()> effect;

/// So many at once.
task<void> run_many(context ctx, int count)
{
    std::deque<future<void>> begun;
    for (int i = 0; i < count; ++i) begun.push_back(ctx.start(block()));
    for (const auto& each : begun) co_await each;
}

} // namespace

TEST_CASE("plain functions that have no thread are left to other workers")
{
    std::atomic<int> blocked = 0;
    std::atomic<bool> let_go = false;
    std::atomic<int> done = 0;
    const installation on;
    process here{on};
    worker& slow = here.add_worker(on.workers().threads(2));
    slow.implement(many, run_many);
    slow.implement(block, [&](activity_context) {
        ++blocked;
        while (!let_go) std::this_thread::sleep_for(1ms);
    });
    here.start_all();
    here.run([&]() -> asio::awaitable<void> {
        auto started = co_await here.client().start(many(20));
        co_await wait_until([&] { return blocked == 2; });
        worker& quick = here.add_worker();
        quick.implement(block, [&](activity_context) { ++done; });
        here.start_all();
        co_await wait_until([&] { return done == 16; }); // 2 run there, and 2 wait for them
        let_go = true;
        co_await started.result();
    });
    CHECK(done == 16);
}

TEST_CASE("a plain function that got its thread too late for its lease is not begun")
{
    constexpr workflow<"two", void()> two;
    std::atomic<bool> occupied = false;
    std::atomic<bool> let_go = false;
    std::atomic<bool> away = false;
    std::atomic<int> effects = 0;
    std::atomic<int> too_late = 0;
    const installation on;
    proxy network{test_dsn()};
    process here{on, network.dsn()};
    worker& runs = here.add_worker(on.workers().threads(1).lease(1s));
    runs.implement(two, [](context ctx) -> task<void> {
        auto first = ctx.start(block());
        auto second = ctx.start(effect());
        co_await first;
        co_await second;
    });
    runs.implement(block, [&](activity_context) {
        occupied = true;
        while (!let_go) std::this_thread::sleep_for(1ms);
    });
    runs.implement(effect, [&](activity_context) {
        ++effects;
        if (away) ++too_late;
    });
    here.start_all();
    here.run([&]() -> asio::awaitable<void> {
        auto started = co_await here.client().start(two());
        co_await wait_until([&] { return occupied.load(); });
        co_await pause(50ms); // the second is claimed, too, and waits for the thread
        network.freeze();     // no lease can be extended
        away = true;
        co_await pause(1s);
        let_go = true;
        co_await wait_until([&] { return here.logged("its lease had almost ended"); });
        away = false;
        network.thaw();
        co_await started.result();
    });
    CHECK(too_late == 0);
    CHECK(effects == 1);
}
