// A worker that notes when it was handed what.
#include "control.hpp"
#include "roles.hpp"
#include "workflows.hpp"

#include <perdure/engine/rethrow.hpp>
#include <perdure/worker/worker.hpp>
#include <perdure/workflow/context.hpp>
#include <perdure/workflow/task.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <string>
#include <utility>
#include <vector>

namespace bench {

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

/// What this process has seen; workflows and activities of a worker run on one thread.
struct
{
    std::vector<double> latencies; ///< microseconds
    std::vector<double> instants;  ///< nanoseconds
} seen;

perdure::task<void> run_one_step(perdure::context ctx, std::int64_t started)
{
    co_await ctx.run(note(started));
}

perdure::task<void> run_nap(perdure::context ctx, std::int64_t milliseconds)
{
    co_await ctx.sleep(std::chrono::milliseconds{milliseconds});
    co_await ctx.run(note(0));
}

perdure::task<void> run_hold(perdure::context ctx)
{
    co_await ctx.run(wait().start_to_close(24h));
}

/// The instant at which a sleeper is due stands in its id, sleeper-<microseconds since 1970>-<number>:
/// most of them are copies of one that was started, with instants of their own.
perdure::task<void> run_sleeper(perdure::context ctx)
{
    co_await ctx.sleep(365 * 24h);
    const std::string& id = ctx.info().id;
    const auto now = std::chrono::duration_cast<std::chrono::microseconds>(
        std::chrono::system_clock::now().time_since_epoch());
    seen.latencies.push_back(
        static_cast<double>(now.count() - std::stoll(id.substr(id.find('-') + 1))));
}

asio::awaitable<void> run_note(perdure::activity_context, std::int64_t started)
{
    const std::int64_t now = steady_nanoseconds();
    seen.latencies.push_back(static_cast<double>(now - started) / 1000.0);
    seen.instants.push_back(static_cast<double>(now));
    co_return;
}

asio::awaitable<void> run_wait(perdure::activity_context)
{
    const asio::any_io_executor executor = co_await asio::this_coro::executor;
    asio::steady_timer timer{executor, 24h};
    co_await timer.async_wait(asio::use_awaitable);
}

asio::awaitable<void> obey(asio::io_context& io)
{
    control parent{io.get_executor()};
    for (;;) {
        const std::optional<std::string> line = co_await parent.next();
        if (!line) break;
        const command given{*line};
        if (given.word() == "take") answer(std::exchange(seen.latencies, {}));
        if (given.word() == "instants") answer(std::exchange(seen.instants, {}));
    }
    io.stop();
}

} // namespace

int play_worker(const role_setup& setup)
{
    asio::io_context io{1};
    perdure::engine engine{io, setup.dsn, setup.engine()};
    perdure::worker_options options;
    options.queues({setup.queue});
    options.activity_slots(static_cast<std::size_t>(setup.activity_slots));
    options.lease(setup.lease);
    perdure::worker worker{engine, options};
    worker.implement(one_step, run_one_step);
    worker.implement(nap, run_nap);
    worker.implement(hold, run_hold);
    worker.implement(sleeper, run_sleeper);
    worker.implement(note, run_note);
    worker.implement(wait, run_wait);
    asio::co_spawn(io, worker.run(), perdure::rethrow);
    asio::co_spawn(io, obey(io), perdure::rethrow);
    io.run();
    return 0;
}

} // namespace bench
