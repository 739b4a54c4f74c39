#include "fake_server.hpp"
#include "session.hpp"

#include "../proxy.hpp"

#include <perdure/pg/pool.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/thread_pool.hpp>

#include <doctest/doctest.h>

using namespace perdure;
using namespace std::chrono_literals;
namespace asio = boost::asio;

namespace {

/// Runs an operation, cancels it after `delay`, and returns how it ended: no code when it
/// succeeded.
asio::awaitable<boost::system::error_code> cancel_after(
    asio::awaitable<void> operation, std::chrono::steady_clock::duration delay)
{
    const auto executor = co_await asio::this_coro::executor;
    asio::cancellation_signal cancel;
    std::optional<boost::system::error_code> ended;
    asio::steady_timer done{executor, asio::steady_timer::time_point::max()};
    auto handler = [&](std::exception_ptr e) {
        ended.emplace();
        try {
            if (e) std::rethrow_exception(e);
        } catch (const boost::system::system_error& failure) {
            ended = failure.code();
        }
        done.cancel();
    };
    asio::co_spawn(
        executor, std::move(operation),
        asio::bind_cancellation_slot(cancel.slot(), std::move(handler)));
    asio::steady_timer timer{executor, delay};
    co_await timer.async_wait(asio::use_awaitable);
    cancel.emit(asio::cancellation_type::terminal);
    co_await test::wait_until([&] { return ended.has_value(); });
    co_return *ended;
}

const pg::statement sleep_for{"select pg_sleep($1)"};

} // namespace

TEST_CASE("an operation cancelled half way ends with operation_aborted at once and gives up its "
          "connection")
{
    test::run([]() -> asio::awaitable<void> {
        pg::connection c = co_await test::connect();
        const auto operation = [&]() -> asio::awaitable<void> {
            co_await c.execute(sleep_for, 60.0);
        };
        const auto begun = std::chrono::steady_clock::now();
        const auto ended = co_await cancel_after(operation(), 20ms);
        CHECK(ended == asio::error::operation_aborted);
        CHECK(std::chrono::steady_clock::now() - begun < 10s);
        CHECK(!c.usable());
    });
}

TEST_CASE("a script cancelled half way gives up its connection, too")
{
    test::run([]() -> asio::awaitable<void> {
        pg::connection c = co_await test::connect();
        const auto operation = [&]() -> asio::awaitable<void> {
            co_await c.execute_script("begin; select pg_sleep(60)");
        };
        const auto ended = co_await cancel_after(operation(), 20ms);
        CHECK(ended == asio::error::operation_aborted);
        CHECK(!c.usable());
    });
}

TEST_CASE("an operation cancelled before anything was sent leaves its connection clean")
{
    test::run([]() -> asio::awaitable<void> {
        pg::connection c = co_await test::connect();
        const auto operation = [&]() -> asio::awaitable<void> {
            asio::steady_timer timer{co_await asio::this_coro::executor, 60s};
            boost::system::error_code cancelled;
            co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, cancelled));
            co_await asio::this_coro::throw_if_cancelled(false);
            co_await c.execute(sleep_for, 60.0);
        };
        const auto ended = co_await cancel_after(operation(), 1ms);
        CHECK(ended == asio::error::operation_aborted);
        CHECK(c.clean());
        co_await c.execute(sleep_for, 0.0);
    });
}

TEST_CASE("a cancelled wait for notifications leaves its connection usable")
{
    test::run([]() -> asio::awaitable<void> {
        pg::connection c = co_await test::connect();
        const auto operation = [&]() -> asio::awaitable<void> {
            co_await c.wait_notifications(std::chrono::steady_clock::now() + 60s);
        };
        const auto ended = co_await cancel_after(operation(), 1ms);
        CHECK(ended == asio::error::operation_aborted);
        CHECK(c.clean());
        co_await c.execute(sleep_for, 0.0);
    });
}

TEST_CASE("a cancelled operation on a pool drops its connection; the next one is a new one")
{
    asio::io_context io{1};
    pg::pool pool{io.get_executor(), pg::pool_options{test::test_connection()}.size(1)};
    test::run(io, [&]() -> asio::awaitable<void> {
        const auto operation = [&]() -> asio::awaitable<void> {
            pg::pipeline p;
            p.begin();
            p.add(sleep_for, 60.0);
            p.commit();
            co_await pool.run(std::move(p));
        };
        const auto ended = co_await cancel_after(operation(), 50ms);
        CHECK(ended == asio::error::operation_aborted);
        CHECK(pool.size() == 0);
        const pg::result r = co_await pool.execute(pg::statement{"select 1"});
        CHECK(r.get<int>(0, 0) == 1);
    });
}

TEST_CASE("connecting is cancelled at once and leaves the pool's place free")
{
    test::fake_server silent{[](auto& client) { test::fake_server::listen_until_closed(client); }};
    asio::io_context io{1};
    pg::pool pool{
        io.get_executor(), pg::pool_options{pg::connection_options{silent.dsn()}}.size(1)};
    test::run(io, [&]() -> asio::awaitable<void> {
        const auto operation = [&]() -> asio::awaitable<void> { co_await pool.acquire(); };
        const auto ended = co_await cancel_after(operation(), 20ms);
        CHECK(ended == asio::error::operation_aborted);
        CHECK(pool.size() == 0);
    });
}

TEST_CASE("connecting is cancelled at once, even in the middle of a call that blocks")
{
    asio::thread_pool blocked{1};
    blocked.stop(); // what is given to it never ends
    pg::connection_options options = test::test_connection();
    options.blocking_executor(blocked.get_executor());
    test::run([&]() -> asio::awaitable<void> {
        const auto operation = [&]() -> asio::awaitable<void> {
            co_await pg::connection::connect(options);
        };
        const auto ended = co_await cancel_after(operation(), 1ms);
        CHECK(ended == asio::error::operation_aborted);
    });
}

TEST_CASE("a cancellation after the confirmed commit does not hide the commit")
{
    test::run([]() -> asio::awaitable<void> {
        pg::connection c = co_await test::connect();
        bool committed = false;
        const auto operation = [&]() -> asio::awaitable<void> {
            pg::pipeline p;
            p.begin();
            p.commit();
            p.add(pg::statement{"select repeat('x', 1000000)"}); // pushes COMMIT's answer out
            p.add(sleep_for, 60.0);
            const pg::pipeline_result r = co_await c.run(std::move(p));
            committed = r.committed() && r.after_commit().has_value();
        };
        co_await cancel_after(operation(), 300ms);
        CHECK(committed);
        CHECK(!c.usable());
    });
}

TEST_CASE("closing a connection ends the operation under way with closed")
{
    asio::io_context io{1};
    test::run(io, [&]() -> asio::awaitable<void> {
        std::optional<pg::connection> c{co_await test::connect()};
        std::optional<boost::system::error_code> ended;
        const auto operation = [&]() -> asio::awaitable<void> {
            const pg::error e = co_await test::failure_of(c->execute(sleep_for, 60.0));
            ended = e.code();
        };
        asio::co_spawn(io, operation(), [](std::exception_ptr e) { CHECK(!e); });
        asio::steady_timer timer{io, 10ms};
        co_await timer.async_wait(asio::use_awaitable);
        CHECK(!c->clean());
        bool refused = false;
        try {
            co_await c->execute(sleep_for, 0.0);
        } catch (const std::logic_error&) {
            refused = true;
        }
        CHECK(refused);
        c.reset();
        co_await test::wait_until([&] { return ended.has_value(); });
        CHECK(*ended == pg::errc::closed);
    });
}

TEST_CASE("an executor that is destroyed with operations under way takes them along")
{
    test::fake_server silent{[](auto& client) { test::fake_server::listen_until_closed(client); }};
    pg::connection_options no_answer{silent.dsn()};
    std::optional<asio::io_context> io{std::in_place, 1};
    const auto connecting = [](pg::connection_options o) -> asio::awaitable<void> {
        co_await pg::connection::connect(o);
    };
    const auto sleeping = []() -> asio::awaitable<void> {
        pg::connection c = co_await test::connect();
        co_await c.execute(sleep_for, 60.0);
    };
    asio::co_spawn(*io, connecting(no_answer), [](std::exception_ptr) {});
    asio::co_spawn(*io, sleeping(), [](std::exception_ptr) {});
    io->run_for(50ms);
    io.reset();
}
