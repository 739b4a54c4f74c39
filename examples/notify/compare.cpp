// The same work twice, side by side: once with notifications, once by polling. Shows how long a
// task waits until a worker has it, and what the waiting costs the database.
#include <perdure/dev/server.hpp>
#include <perdure/perdure.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <array>
#include <cstdio>
#include <iostream>
#include <optional>
#include <string>
#include <utility>

namespace asio = boost::asio;
using namespace std::chrono_literals;
using steady = std::chrono::steady_clock;
using milliseconds = std::chrono::duration<double, std::milli>;

inline constexpr perdure::workflow<"greet", std::string(std::string)> greet;
inline constexpr perdure::activity<"say", std::string(std::string)> say;

perdure::task<std::string> run_greet(perdure::context ctx, std::string name)
{
    std::string words = co_await ctx.run(say(name));
    co_return words;
}

std::string run_say(perdure::activity_context, const std::string& name)
{
    return "hello " + name;
}

/// A worker and a client with an engine each, as if they were two programs: what wakes the one when
/// the other has done something goes through the database. In a schema and under a role of their
/// own.
struct side
{
    side(
        asio::io_context& io, const std::string& dsn, std::string name,
        const perdure::engine_options& how)
        : role{std::move(name)},
          workers{io, dsn + " user=" + role, perdure::engine_options{how}.schema(role)},
          clients{io, dsn + " user=" + role, perdure::engine_options{how}.schema(role)},
          worker{workers},
          client{std::in_place, clients}
    {
        worker.implement(greet, run_greet);
        worker.implement(say, run_say);
    }

    asio::awaitable<double> one()
    {
        const auto begun = steady::now();
        auto greeting = co_await client->start(greet("world"));
        co_await greeting.result();
        co_return milliseconds{steady::now() - begun}.count();
    }

    std::string role;
    perdure::engine workers;
    perdure::engine clients;
    perdure::worker worker;
    std::optional<perdure::client> client; // until it is done: it keeps the listener running
    double last = 0;                       // milliseconds
    long long idle = 0;                    // statements
};

/// Waits that long.
asio::awaitable<void> pause(steady::duration time)
{
    asio::steady_timer timer{co_await asio::this_coro::executor, time};
    co_await timer.async_wait(asio::use_awaitable);
}

/// Statements that this role has sent so far.
asio::awaitable<std::int64_t> statements(perdure::pg::connection& watcher, std::string role)
{
    static const perdure::pg::statement count{
        "select coalesce(sum(calls), 0)::bigint from pg_stat_statements "
        "where userid = $1::regrole"};
    const auto rows = co_await watcher.execute(count, role);
    co_return rows.get<std::int64_t>(0, 0);
}

asio::awaitable<void> compare(asio::io_context& io, std::string dsn, side& notified, side& polled)
{
    perdure::pg::connection_options options{dsn};
    auto watcher = co_await perdure::pg::connection::connect(std::move(options));
    std::array<side*, 2> both{&notified, &polled};
    co_await watcher.execute_script("create extension if not exists pg_stat_statements");
    for (side* each : both) {
        co_await watcher.execute_script("create role " + each->role + " superuser login");
        co_await perdure::store::migrate(watcher, each->role);
        asio::co_spawn(io, each->worker.run(), perdure::rethrow);
    }
    for (side* each : both) co_await each->one(); // connects, and prepares its statements
    std::puts("start to result of a workflow with one activity\n");
    std::puts("            NOTIFY     polling twice a second");
    for (int i = 1; i <= 6; ++i) {
        for (side* each : both) each->last = co_await each->one();
        std::printf("%4d %10.1f ms %10.1f ms\n", i, notified.last, polled.last);
    }
    co_await pause(1s);
    for (side* each : both) each->idle -= co_await statements(watcher, each->role);
    co_await pause(3s);
    for (side* each : both) each->idle += co_await statements(watcher, each->role);
    std::puts("\nstatements in three seconds without work\n");
    std::printf("     %10lld    %10lld\n", notified.idle, polled.idle);
    for (side* each : both) {
        each->worker.drain();
        each->client.reset();
    }
}

int main()
try {
    perdure::dev::server server;
    asio::io_context io{1};
    perdure::engine_options listening, polling;
    polling.notifications(perdure::notification_mode::none);
    side notified{io, server.dsn(), "notified", listening};
    side polled{io, server.dsn(), "polled", polling};
    asio::co_spawn(io, compare(io, server.dsn(), notified, polled), perdure::rethrow);
    io.run();
} catch (const std::exception& e) {
    std::cerr << "notify: " << e.what() << '\n';
    return 1;
}
