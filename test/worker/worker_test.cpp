// How a worker begins and ends, whatever it is in the middle of.
#include "acceptance/installation.hpp"
#include "proxy.hpp"

#include <perdure/workflow/context.hpp>
#include <perdure/workflow/definitions.hpp>
#include <perdure/workflow/task.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>

namespace asio = boost::asio;
using namespace perdure;
using namespace perdure::test;
using namespace std::chrono_literals;

namespace {

constexpr workflow<"errand", std::string()> errand;
constexpr activity<"fetch", std::string()> fetch;

task<std::string> run_errand(context ctx)
{
    std::string fetched = co_await ctx.run(fetch());
    co_return fetched;
}

/// Fetches until it is cancelled.
struct slow_fetch
{
    bool begun = false;

    asio::awaitable<std::string> operator()(activity_context)
    {
        begun = true;
        co_await pause(1h);
        co_return "";
    }
};

void employ(worker& who, slow_fetch& how)
{
    who.implement(errand, run_errand);
    who.implement(fetch, [&how](activity_context ctx) { return how(ctx); });
}

/// Runs a process until its workers have left, for less time than anything else would take to end
/// them.
void wait_for_end(process& of, std::chrono::steady_clock::duration limit = 5s)
{
    of.run([&] { return wait_until([&] { return of.running() == 0; }, limit); });
}

} // namespace

TEST_CASE("a worker that is drained while it still starts ends without having worked")
{
    const installation on;
    slow_fetch unused;
    process here{on};
    employ(here.add_worker(), unused);
    here.start_all();
    here.io().poll(); // it has begun, and now connects
    here.drain(10s);
    wait_for_end(here);
}

TEST_CASE("a worker whose engine is destroyed fails, and leaves the execution context idle")
{
    const installation on;
    asio::io_context io{1};
    std::optional<engine> destroyed{std::in_place, io, test_dsn(), on.options().log({})};
    worker left{*destroyed, on.workers()};
    slow_fetch unused;
    employ(left, unused);
    std::exception_ptr failure;
    asio::co_spawn(io, left.run(), [&](std::exception_ptr ended) { failure = ended; });
    io.run_for(300ms);
    REQUIRE_FALSE(failure);

    destroyed.reset();
    io.run_for(5s);
    CHECK(io.stopped());
    REQUIRE(failure);
    CHECK_THROWS_AS(std::rethrow_exception(failure), pg::error);
}

TEST_CASE("a cancelled worker hands back and completes with operation_aborted")
{
    const installation on;
    slow_fetch fetching;
    process here{on};
    worker& cancelled = here.add_worker();
    employ(cancelled, fetching);
    boost::system::error_code ended;
    asio::cancellation_signal cancel;
    const auto caller = [&]() -> asio::awaitable<void> {
        try {
            co_await cancelled.run();
        } catch (const boost::system::system_error& failure) {
            ended = failure.code();
        }
    };
    bool done = false;
    asio::co_spawn(
        here.io(), caller(),
        asio::bind_cancellation_slot(cancel.slot(), [&](std::exception_ptr) { done = true; }));
    here.run([&]() -> asio::awaitable<void> {
        auto started = co_await here.client().start(errand().id("errand"));
        co_await wait_until([&] { return fetching.begun; });
        cancel.emit(asio::cancellation_type::terminal);
        co_await wait_until([&] { return done; }, 5s);
        const store::instance_state state = co_await started.state();
        CHECK(state.status == store::instance_status::running);
    });
    CHECK(ended == asio::error::operation_aborted);
}

TEST_CASE("a caller can be cancelled after the worker that it awaited was drained")
{
    const installation on;
    slow_fetch unused;
    process here{on};
    worker& drained = here.add_worker();
    employ(drained, unused);
    asio::cancellation_signal cancel;
    bool after = false;
    bool done = false;
    const auto caller = [&]() -> asio::awaitable<void> {
        co_await drained.run();
        after = true;
        co_await pause(1h);
    };
    asio::co_spawn(
        here.io(), caller(),
        asio::bind_cancellation_slot(cancel.slot(), [&](std::exception_ptr) { done = true; }));
    here.run([&]() -> asio::awaitable<void> {
        co_await pause(200ms);
        drained.drain(0s);
        co_await wait_until([&] { return after; }, 5s);
        cancel.emit(asio::cancellation_type::terminal);
        co_await wait_until([&] { return done; }, 2s);
    });
}

TEST_CASE("a cancellation shortens a drain that has begun")
{
    const installation on;
    slow_fetch fetching;
    process here{on};
    worker& draining = here.add_worker();
    employ(draining, fetching);
    asio::cancellation_signal cancel;
    bool done = false;
    asio::co_spawn(
        here.io(), draining.run(),
        asio::bind_cancellation_slot(cancel.slot(), [&](std::exception_ptr) { done = true; }));
    here.run([&]() -> asio::awaitable<void> {
        co_await here.client().start(errand().id("errand"));
        co_await wait_until([&] { return fetching.begun; });
        draining.drain(1h);
        co_await pause(10ms);
        cancel.emit(asio::cancellation_type::terminal);
        co_await wait_until([&] { return done; }, 5s);
    });
}

TEST_CASE("a drain ends although the server does not answer a claim that is under way")
{
    const installation on{setting::polling};
    proxy network{test_dsn()};
    slow_fetch unused;
    process here{on, network.dsn()};
    employ(here.add_worker(), unused);
    here.start_all();
    here.run([&] { return pause(200ms); });
    network.freeze();
    here.run([&] { return pause(100ms); }); // longer than the poll interval: a claim is under way
    here.drain(0s);
    wait_for_end(here, 8s);
    network.thaw();
}

TEST_CASE(
    "nothing keeps the execution context busy after a drain, even if a hand-back got no answer")
{
    const installation on;
    process here{on};
    here.run([&]() -> asio::awaitable<void> { co_await here.client().start(errand()); });

    proxy network{test_dsn()};
    asio::io_context io{1};
    bool frozen = false;
    const auto freeze = [&](log_level, std::string_view message, std::span<const log_field>) {
        if (message != "a workflow task was handed back") return;
        network.freeze(); // what is about to be sent gets no answer
        frozen = true;
    };
    engine cut_off{io, network.dsn(), on.options().log(freeze)};
    worker leaving{cut_off, on.workers()};
    leaving.implement(workflow<"another", void()>{}, [](context) -> task<void> { co_return; });
    asio::co_spawn(io, leaving.run(), [](std::exception_ptr) {});
    perdure::test::run(io, wait_until([&] { return frozen; }));
    leaving.drain(0s);
    io.run_for(10s);
    CHECK(io.stopped());
    network.thaw();
}

TEST_CASE("what a draining worker hands back is said to the logger")
{
    const installation on;
    slow_fetch fetching;
    process here{on};
    employ(here.add_worker(), fetching);
    here.start_all();
    here.run([&]() -> asio::awaitable<void> {
        co_await here.client().start(errand().id("errand"));
        co_await wait_until([&] { return fetching.begun; });
    });
    here.stop(0s);
    CHECK(here.logged("an activity was handed back activity=fetch instance=errand"));
}

TEST_CASE("a plain function whose time ran out while it waited for a thread is not called any more")
{
    constexpr workflow<"two-errands", void()> two_errands;
    constexpr activity<"occupy", void()> occupy;
    constexpr activity<"effect", void()> effect;
    std::atomic<bool> occupied = false;
    std::atomic<bool> leave = false;
    std::atomic<int> effects = 0;
    const installation on;
    process here{on};
    worker& runs = here.add_worker(on.workers().threads(1));
    runs.implement(two_errands, [=](context ctx) -> task<void> {
        auto first = ctx.start(occupy());
        auto call = effect().start_to_close(50ms).attempts(1);
        auto given_up = co_await ctx.run(std::move(call)).as_result();
        if (given_up) co_return;
        co_await first;
    });
    runs.implement(occupy, [&](activity_context) {
        occupied = true;
        while (!leave) std::this_thread::sleep_for(1ms);
    });
    runs.implement(effect, [&](activity_context) { ++effects; });
    here.start_all();
    here.run([&]() -> asio::awaitable<void> {
        auto started = co_await here.client().start(two_errands());
        co_await wait_until([&] { return here.logged("timed-out"); });
        leave = true;
        co_await started.result();
    });
    CHECK(occupied);
    here.stop();
    CHECK(effects == 0);
}

TEST_CASE("an exception that leaves a workflow's function before its coroutine begins is a problem "
          "of the instance")
{
    const installation on;
    process here{on};
    worker& runs = here.add_worker();
    runs.implement(errand, [](context ctx) -> task<std::string> {
        if (ctx.info().id == "errand") throw std::out_of_range{"not on this machine"};
        return run_errand(ctx);
    });
    here.start_all();
    here.run([&]() -> asio::awaitable<void> {
        auto started = co_await here.client().start(errand().id("errand"));
        const store::instance_state state = co_await state_with_problem(started);
        CHECK(state.problem.find("not on this machine") != std::string::npos);
        CHECK(state.status == store::instance_status::running);
    });
}
