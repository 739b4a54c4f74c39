// What a draining worker holds is finished or handed back within the deadline, whatever stands in
// the way.
#include "acceptance/installation.hpp"
#include "proxy.hpp"

#include <perdure/engine/rethrow.hpp>
#include <perdure/workflow/context.hpp>
#include <perdure/workflow/definitions.hpp>
#include <perdure/workflow/task.hpp>

#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/this_coro.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <optional>
#include <string>
#include <thread>

#include <sys/wait.h>
#include <unistd.h>

namespace asio = boost::asio;
using namespace perdure;
using namespace perdure::test;
using namespace std::chrono_literals;

namespace {

constexpr workflow<"job", int()> job;
constexpr activity<"work", int()> work;

task<int> run_job(context ctx)
{
    const int attempt = co_await ctx.run(work());
    co_return attempt;
}

/// Works until it is let go, cancelled or not.
struct stubborn
{
    std::atomic<bool> begun = false;
    std::atomic<bool> let_go = false;

    asio::awaitable<int> as_coroutine(activity_context)
    {
        co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
        begun = true;
        co_await wait_until([this] { return let_go.load(); }, 10min);
        co_return -1;
    }

    int as_plain_function(activity_context)
    {
        begun = true;
        while (!let_go) std::this_thread::sleep_for(1ms);
        return -1;
    }
};

enum class form
{
    coroutine,
    plain_function
};

void employ(process& where, stubborn& who, form as, const worker_options& options)
{
    worker& runs = where.add_worker(options);
    runs.implement(job, run_job);
    if (as == form::coroutine)
        runs.implement(work, [&who](activity_context ctx) { return who.as_coroutine(ctx); });
    else
        runs.implement(work, [&who](activity_context ctx) { return who.as_plain_function(ctx); });
    where.start_all();
}

/// Works at once, and says at which attempt.
void employ_quick(process& where, const worker_options& options)
{
    worker& runs = where.add_worker(options);
    runs.implement(job, run_job);
    runs.implement(work, [](activity_context ctx) { return ctx.attempt(); });
    where.start_all();
}

void start_job(process& where, stubborn& who)
{
    where.run([&]() -> asio::awaitable<void> {
        co_await where.client().start(job().id("job"));
        co_await wait_until([&] { return who.begun.load(); });
    });
}

int result_of_job(process& where)
{
    return where.run([&]() -> asio::awaitable<int> {
        const int attempt = co_await where.client().get(job, "job").result();
        co_return attempt;
    });
}

void wait_for_end(process& of, std::chrono::steady_clock::duration limit)
{
    of.run([&] { return wait_until([&] { return of.running() == 0; }, limit); });
}

} // namespace

TEST_CASE("what does not end is handed back within the deadline, and a parked worker claims it at "
          "once, its attempt not counted")
{
    for (const form as : {form::coroutine, form::plain_function}) {
        CAPTURE(static_cast<int>(as));
        const installation on;
        stubborn never_ends;
        process leaving{on};
        employ(leaving, never_ends, as, on.workers());
        start_job(leaving, never_ends);

        process staying{on};
        employ_quick(staying, on.workers());
        staying.run(
            [&] { return wait_until([&] { return staying.logged("notifications arrive"); }); });

        leaving.drain(1s);
        wait_for_end(leaving, 5s); // half its lease
        CHECK(leaving.logged("an activity was handed back"));
        CHECK(!leaving.logged("left to their leases"));
        CHECK(
            leaving.logged("functions on threads were told to stop and still run") ==
            (as == form::plain_function));
        CHECK(leaving.logged("functions=1") == (as == form::plain_function));
        CHECK(result_of_job(staying) == 1);
        never_ends.let_go = true;
    }
}

TEST_CASE("a drain gives up on a database that went away, and leaves what it holds to its lease")
{
    for (const form as : {form::coroutine, form::plain_function}) {
        for (const bool silent : {true, false}) {
            CAPTURE(static_cast<int>(as));
            CAPTURE(silent);
            const installation on;
            proxy network{test_dsn()};
            stubborn never_ends;
            process leaving{on, network.dsn()};
            employ(leaving, never_ends, as, on.workers().lease(3s));
            start_job(leaving, never_ends);
            if (silent)
                network.freeze();
            else
                network.refuse();
            leaving.drain(1s);
            wait_for_end(leaving, 8s);
            CHECK(leaving.logged("draining"));
            const std::string left = "left to their leases what could not be handed back in time ";
            // The activity was claimed as soon as the workflow task was committed, of which the
            // answer may have been cut off.
            const bool known = leaving.logged(left + "workflow_tasks=0 activities=1");
            CHECK((known || leaving.logged(left + "workflow_tasks=1 activities=1")));
            never_ends.let_go = true;

            process staying{on};
            employ_quick(staying, on.workers());
            CHECK(result_of_job(staying) == 2);
            network.thaw();
        }
    }
}

TEST_CASE("a second call shortens a drain, also while it hands back")
{
    const installation on;
    stubborn never_ends;
    process leaving{on};
    employ(leaving, never_ends, form::plain_function, on.workers());
    start_job(leaving, never_ends);
    leaving.drain(1h);
    leaving.run([] { return pause(10ms); });
    CHECK(leaving.running() == 1);
    leaving.drain(0s);
    wait_for_end(leaving, 5s);
    never_ends.let_go = true;
}

TEST_CASE("a worker that cannot be drained in time at all is drained at once")
{
    const installation on;
    stubborn never_ends;
    process leaving{on};
    employ(leaving, never_ends, form::coroutine, on.workers());
    start_job(leaving, never_ends);
    leaving.drain(std::chrono::milliseconds::max()); // no overflow
    leaving.run([] { return pause(10ms); });
    CHECK(leaving.running() == 1);
    leaving.drain(-1s);
    wait_for_end(leaving, 5s);
    never_ends.let_go = true;
}

TEST_CASE("a plain function is told when its time is up, and when it is handed back")
{
    constexpr workflow<"timed", std::string()> timed;
    std::atomic<int> begun = 0;
    std::atomic<int> told = 0;
    const installation on;
    process here{on};
    worker& runs = here.add_worker();
    runs.implement(timed, [](context ctx) -> task<std::string> {
        auto call = work().start_to_close(20ms).attempts(1);
        const auto tried = co_await ctx.run(std::move(call)).as_result();
        co_return tried ? "" : tried.failure().info().cause->type;
    });
    runs.implement(job, run_job);
    runs.implement(work, [&](activity_context ctx) {
        ++begun;
        while (!ctx.cancelled()) std::this_thread::sleep_for(1ms);
        if (ctx.stop_token().stop_requested()) ++told;
        return -1;
    });
    here.start_all();
    CHECK(here.result_of(timed()) == "timed-out");
    here.run([&]() -> asio::awaitable<void> {
        co_await wait_until([&] { return told == 1; });
        co_await here.client().start(job());
        co_await wait_until([&] { return begun == 2; });
    });
    here.drain(0s);
    here.run([&] { return wait_until([&] { return told == 2; }); });
}

TEST_CASE("a worker that is destroyed tells its functions on threads to stop")
{
    std::atomic<bool> begun = false;
    std::atomic<bool> told = false;
    const installation on;
    process here{on};
    std::optional<worker> runs{std::in_place, here.engine(), on.workers()};
    runs->implement(job, run_job);
    runs->implement(work, [&](activity_context ctx) {
        begun = true;
        const auto end = std::chrono::steady_clock::now() + deadline;
        while (!ctx.cancelled() && std::chrono::steady_clock::now() < end)
            std::this_thread::sleep_for(1ms);
        told = ctx.cancelled();
        return -1;
    });
    asio::co_spawn(here.io(), runs->run(), rethrow);
    here.run([&]() -> asio::awaitable<void> {
        co_await here.client().start(job());
        co_await wait_until([&] { return begun.load(); });
    });
    runs.reset(); // nobody runs the executor, as when an exception is ending the program
    CHECK(told);
}

TEST_CASE("a second SIGTERM ends a process whose function on a thread does not return")
{
    const installation on;
    const std::string dsn = test_dsn();
    int told[2];
    REQUIRE(::pipe(told) == 0);
    const auto tell = [&](char what) { (void)!::write(told[1], &what, 1); };
    const auto hear = [&] {
        char what = 0;
        CHECK(::read(told[0], &what, 1) == 1);
        return what;
    };
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) { // as a user writes it
        ::alarm(60);
        asio::io_context io{1};
        engine engine{io, dsn, on.options().log({})};
        worker worker{engine};
        worker.implement(job, run_job);
        worker.implement(work, [&](activity_context) -> int {
            tell('b');
            for (;;) std::this_thread::sleep_for(1h);
        });
        asio::signal_set stop{io, SIGINT, SIGTERM};
        stop.async_wait([&](auto, int) {
            stop.clear();
            worker.drain(100ms);
        });
        asio::co_spawn(io, worker.run(), [&](std::exception_ptr) { tell('e'); });
        io.run();
        worker.~worker(); // as at the end of main: waits for the function
        std::_Exit(EXIT_SUCCESS);
    }
    process here{on};
    here.run([&]() -> asio::awaitable<void> { co_await here.client().start(job()); });
    CHECK(hear() == 'b');
    ::kill(child, SIGTERM);
    CHECK(hear() == 'e'); // handed back and left, but the function still runs
    ::kill(child, SIGTERM);
    int status = 0;
    CHECK(::waitpid(child, &status, 0) == child);
    REQUIRE(WIFSIGNALED(status));
    CHECK(WTERMSIG(status) == SIGTERM);
    ::close(told[0]);
    ::close(told[1]);
}
