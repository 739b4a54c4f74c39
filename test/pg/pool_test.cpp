#include "fake_server.hpp"
#include "session.hpp"

#include <perdure/pg/pool.hpp>

#include <doctest/doctest.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>

using namespace perdure;
using namespace std::chrono_literals;
namespace asio = boost::asio;
using test::contains;

namespace {

const pg::statement own_pid{"select pg_backend_pid()"};

pg::pool_options test_pool(std::size_t size)
{
    pg::pool_options options{test::test_connection()};
    options.size(size);
    return options;
}

/// Ends the session with this process id, and returns once it is gone.
asio::awaitable<void> terminate(pg::connection& by, int pid)
{
    const pg::statement end{"select pg_terminate_backend($1, 10000)"};
    const pg::result r = co_await by.execute(end, pid);
    REQUIRE(r.get<bool>(0, 0));
}

} // namespace

TEST_CASE("a pool makes connections when they are needed and lends the same ones again")
{
    asio::io_context io{1};
    pg::pool pool{io.get_executor(), test_pool(2)};
    CHECK(pool.size() == 0);
    test::run(io, [&]() -> asio::awaitable<void> {
        int first = 0;
        {
            pg::pooled_connection c = co_await pool.acquire();
            first = c->backend_pid();
            CHECK(pool.size() == 1);
            CHECK(pool.idle() == 0);
            pg::pooled_connection d = co_await pool.acquire();
            CHECK(d->backend_pid() != first);
            d.release();
            CHECK(pool.idle() == 1);
            pg::pooled_connection moved = std::move(c);
            CHECK(moved->backend_pid() == first);
        }
        CHECK(pool.size() == 2);
        CHECK(pool.idle() == 2);
        const pg::result r = co_await pool.execute(own_pid);
        CHECK(r.get<int>(0, 0) == first); // the one that was used last
        pg::pipeline p;
        p.begin();
        p.add(own_pid);
        p.commit();
        const pg::pipeline_result all = co_await pool.run(std::move(p));
        CHECK(all.committed());
        CHECK(pool.idle() == 2);
    });
    io.restart();
    io.run(); // idle connections leave nothing pending: it returns
    CHECK(pool.idle() == 2);
}

TEST_CASE("waiters are served first come first served")
{
    asio::io_context io{1};
    pg::pool pool{io.get_executor(), test_pool(1)};
    std::vector<int> order;
    int left = 5;
    const auto wait = [&](int number) -> asio::awaitable<void> {
        pg::pooled_connection c = co_await pool.acquire();
        order.push_back(number);
        --left;
    };
    test::run(io, [&]() -> asio::awaitable<void> {
        pg::pooled_connection held = co_await pool.acquire();
        for (int i = 0; i < 5; ++i)
            asio::co_spawn(io, wait(i), [](std::exception_ptr e) { CHECK(!e); });
        asio::steady_timer timer{io, 0s};
        co_await timer.async_wait(asio::use_awaitable); // all have begun to wait
        held.release();
        co_await test::wait_until([&] { return left == 0; });
    });
    CHECK(order == std::vector<int>{0, 1, 2, 3, 4});
    CHECK(pool.size() == 1);
}

TEST_CASE("a waiter that times out is told how many connections are lent")
{
    asio::io_context io{1};
    pg::pool pool{io.get_executor(), test_pool(2).acquire_timeout(20ms)};
    test::run(io, [&]() -> asio::awaitable<void> {
        pg::pooled_connection a = co_await pool.acquire();
        pg::pooled_connection b = co_await pool.acquire();
        const pg::error e = co_await test::failure_of(pool.acquire());
        CHECK(e.code() == pg::errc::pool_timed_out);
        CHECK(
            std::string{e.what()} ==
            "no connection became free within 20 ms: 2 of 2 in use, 0 others waiting");
        a.release();
        pg::pooled_connection c = co_await pool.acquire(); // the waiter that gave up is forgotten
        CHECK(c->usable());
    });
}

TEST_CASE("a failure to connect reaches the one it was tried for, in the server's words, and later "
          "time-outs")
{
    asio::io_context io{1};
    pg::pool_options options{pg::connection_options{test_dsn() + " dbname=nowhere"}};
    options.size(1).acquire_timeout(20ms);
    pg::pool pool{io.get_executor(), options};
    test::run(io, [&]() -> asio::awaitable<void> {
        const pg::error e = co_await test::failure_of(pool.acquire());
        CHECK(e.code() == pg::errc::connect_failed);
        CHECK(e.sqlstate() == "3D000");
        CHECK(pool.size() == 0);
        const pg::error again = co_await test::failure_of(pool.execute(own_pid));
        CHECK(again.code() == pg::errc::connect_failed);
    });

    test::fake_server silent{[](auto& client) { test::fake_server::listen_until_closed(client); }};
    pg::connection_options no_answer{silent.dsn()};
    no_answer.connect_timeout(100ms);
    pg::pool slow{io.get_executor(), pg::pool_options{no_answer}.size(1).acquire_timeout(150ms)};
    bool first_failed = false;
    const auto first = [&]() -> asio::awaitable<void> {
        const pg::error e = co_await test::failure_of(slow.acquire());
        first_failed = e.code() == pg::errc::connect_timed_out;
    };
    test::run(io, [&]() -> asio::awaitable<void> {
        asio::co_spawn(io, first(), [](std::exception_ptr e) { CHECK(!e); });
        asio::steady_timer timer{io, 0s};
        co_await timer.async_wait(asio::use_awaitable);
        // Inherits the slot of the first, and its own failure.
        const pg::error second = co_await test::failure_of(slow.acquire());
        CHECK(first_failed);
        CHECK(second.code() == pg::errc::connect_timed_out);
        CHECK(slow.size() == 0);
    });
}

TEST_CASE("a time-out names the last failure to connect")
{
    asio::io_context io{1};
    std::atomic<int> accepted = 0;
    test::fake_server once{[&](auto& client) { // the first gets in, the second never gets an answer
        if (accepted++ == 0) {
            test::fake_server::refuse(client, "53300", "sorry, too many clients already");
            return;
        }
        test::fake_server::welcome(client, "15.4");
        test::fake_server::listen_until_closed(client);
    }};
    pg::pool pool{
        io.get_executor(),
        pg::pool_options{pg::connection_options{once.dsn()}}.size(1).acquire_timeout(20ms)};
    test::run(io, [&]() -> asio::awaitable<void> {
        const pg::error full = co_await test::failure_of(pool.acquire());
        CHECK(full.sqlstate() == "53300");
        pg::pooled_connection held = co_await pool.acquire();
        const pg::error e = co_await test::failure_of(pool.acquire());
        CHECK(contains(e.what(), "1 of 1 in use"));
        CHECK(contains(e.what(), "last failure to connect: "));
        CHECK(contains(e.what(), "too many clients already [53300]"));
    });
}

TEST_CASE("an idle connection that the server ended is replaced silently")
{
    asio::io_context io{1};
    pg::pool pool{io.get_executor(), test_pool(1)};
    test::run(io, [&]() -> asio::awaitable<void> {
        pg::connection control = co_await test::connect();
        const pg::result before = co_await pool.execute(own_pid);
        co_await terminate(control, before.get<int>(0, 0));
        const pg::result after = co_await pool.execute(own_pid);
        CHECK(after.get<int>(0, 0) != before.get<int>(0, 0));
        CHECK(pool.size() == 1);
    });
}

TEST_CASE("a connection that comes back in a transaction is rolled back before it is lent again")
{
    asio::io_context io{1};
    pg::pool pool{io.get_executor(), test_pool(1)};
    test::run(io, [&]() -> asio::awaitable<void> {
        int dirty = 0;
        {
            pg::pooled_connection c = co_await pool.acquire();
            dirty = c->backend_pid();
            co_await c->execute_script("begin; create temp table left_over ()");
        }
        CHECK(pool.statistics().cleaning == 1);
        CHECK(pool.size() == 1);
        pg::pooled_connection c = co_await pool.acquire();
        CHECK(c->backend_pid() == dirty);
        CHECK(c->clean());
        const pg::result r =
            co_await c->execute(pg::statement{"select to_regclass('left_over') is null"});
        CHECK(r.get<bool>(0, 0));
        CHECK(pool.statistics().cleaning == 0);
    });
}

TEST_CASE("a connection that comes back lost is dropped, never lent again")
{
    asio::io_context io{1};
    pg::pool pool{io.get_executor(), test_pool(1)};
    test::run(io, [&]() -> asio::awaitable<void> {
        {
            pg::pooled_connection c = co_await pool.acquire();
            const pg::error e = co_await test::failure_of(
                c->execute(pg::statement{"select pg_terminate_backend(pg_backend_pid())"}));
            CHECK(e.code() == pg::errc::connection_lost);
        }
        CHECK(pool.size() == 0);
        const pg::error failed =
            co_await test::failure_of(pool.execute(pg::statement{"select 1/0"}));
        CHECK(failed.sqlstate() == "22012");
        CHECK(pool.idle() == 1); // an error is no reason to drop it
    });
}

TEST_CASE("a dropped connection makes room for the next waiter")
{
    asio::io_context io{1};
    pg::pool pool{io.get_executor(), test_pool(1)};
    bool served = false;
    const auto wait = [&]() -> asio::awaitable<void> {
        pg::pooled_connection c = co_await pool.acquire();
        served = c->usable();
    };
    test::run(io, [&]() -> asio::awaitable<void> {
        pg::pooled_connection c = co_await pool.acquire();
        asio::co_spawn(io, wait(), [](std::exception_ptr e) { CHECK(!e); });
        asio::steady_timer timer{io, 0s};
        co_await timer.async_wait(asio::use_awaitable);
        c->close();
        c.release();
        co_await test::wait_until([&] { return served; });
    });
    CHECK(pool.size() == 1);
}

TEST_CASE("a cancelled wait takes no connection and leaves no gap in the queue")
{
    asio::io_context io{1};
    pg::pool pool{io.get_executor(), test_pool(1)};
    asio::cancellation_signal cancel;
    bool cancelled = false;
    int served = 0;
    const auto wait = [&]() -> asio::awaitable<void> {
        pg::pooled_connection c = co_await pool.acquire();
        ++served;
    };
    test::run(io, [&]() -> asio::awaitable<void> {
        pg::pooled_connection c = co_await pool.acquire();
        asio::co_spawn(
            io, wait(), asio::bind_cancellation_slot(cancel.slot(), [&](std::exception_ptr e) {
                cancelled = e != nullptr;
            }));
        asio::co_spawn(io, wait(), [](std::exception_ptr e) { CHECK(!e); });
        asio::steady_timer timer{io, 0s};
        co_await timer.async_wait(asio::use_awaitable);
        // Granted and cancelled in the same breath: the connection goes to the next.
        c.release();
        cancel.emit(asio::cancellation_type::terminal);
        co_await test::wait_until([&] { return served > 0 && (cancelled || served == 2); });
    });
    CHECK(pool.idle() == 1);
}

TEST_CASE(
    "closing a pool ends the waits and the idle connections; destroying it while some wait is safe")
{
    asio::io_context io{1};
    std::optional<pg::pool> pool{
        std::in_place, io.get_executor(), test_pool(1).acquire_timeout(10 * test::deadline)};
    std::optional<pg::errc> ended;
    const auto wait = [&]() -> asio::awaitable<void> {
        const pg::error e = co_await test::failure_of(pool->acquire());
        ended = static_cast<pg::errc>(e.code().value());
    };
    test::run(io, [&]() -> asio::awaitable<void> {
        pg::pooled_connection c = co_await pool->acquire();
        asio::co_spawn(io, wait(), [](std::exception_ptr e) { CHECK(!e); });
        asio::steady_timer timer{io, 0s};
        co_await timer.async_wait(asio::use_awaitable);
        pool.reset();
        co_await test::wait_until([&] { return ended.has_value(); });
        CHECK(c->usable()); // lent: its user goes on
    });
    CHECK(ended == pg::errc::closed);

    // Granted and closed in the same breath: the connection is not lost in between.
    pool.emplace(io.get_executor(), test_pool(1));
    ended.reset();
    test::run(io, [&]() -> asio::awaitable<void> {
        pg::pooled_connection c = co_await pool->acquire();
        asio::co_spawn(io, wait(), [](std::exception_ptr e) { CHECK(!e); });
        asio::steady_timer timer{io, 0s};
        co_await timer.async_wait(asio::use_awaitable);
        c.release();
        pool->close();
        co_await test::wait_until([&] { return ended.has_value(); });
        CHECK(pool->size() == 0);
    });

    pg::pool closed{io.get_executor(), test_pool(1)};
    test::run(io, [&]() -> asio::awaitable<void> {
        co_await closed.execute(own_pid);
        closed.close();
        closed.close();
        CHECK(closed.size() == 0);
        const pg::error e = co_await test::failure_of(closed.acquire());
        CHECK(e.code() == pg::errc::closed);
    });
}

TEST_CASE("many coroutines share few connections")
{
    asio::io_context io{1};
    pg::pool pool{io.get_executor(), test_pool(3).acquire_timeout(test::deadline)};
    int left = 200;
    const auto work = [&]() -> asio::awaitable<void> {
        co_await pool.execute(own_pid);
        --left;
    };
    test::run(io, [&]() -> asio::awaitable<void> {
        for (int i = 0; i < 200; ++i)
            asio::co_spawn(io, work(), [](std::exception_ptr e) { CHECK(!e); });
        co_await test::wait_until([&] { return left == 0; });
    });
    CHECK(pool.size() == 3);
    CHECK(pool.idle() == 3);
}

TEST_CASE("a critical user gets the reserved connection while the others wait")
{
    asio::io_context io{1};
    pg::pool pool{io.get_executor(), test_pool(2).reserve(1).acquire_timeout(20ms)};
    test::run(io, [&]() -> asio::awaitable<void> {
        pg::pooled_connection held = co_await pool.acquire();
        const pg::error e = co_await test::failure_of(pool.acquire());
        CHECK(e.code() == pg::errc::pool_timed_out);
        pg::pooled_connection reserved = co_await pool.acquire(pg::pool_priority::critical);
        const pg::error full = co_await test::failure_of(pool.acquire(pg::pool_priority::critical));
        CHECK(contains(full.what(), "2 of 2 in use"));
        reserved.release();
        const pg::error kept = co_await test::failure_of(pool.acquire());
        CHECK(contains(kept.what(), "1 of 2 in use, 0 others waiting, 1 kept in reserve"));
        held.release();
        pg::pooled_connection again = co_await pool.acquire();
        CHECK(again->usable());
    });
}

TEST_CASE("a critical user is served before those who waited longer, and with any connection")
{
    asio::io_context io{1};
    pg::pool pool{io.get_executor(), test_pool(2).reserve(1)};
    std::vector<char> order;
    const auto wait = [&](char name, pg::pool_priority priority) -> asio::awaitable<void> {
        pg::pooled_connection c = co_await pool.acquire(priority);
        order.push_back(name);
    };
    test::run(io, [&]() -> asio::awaitable<void> {
        pg::pooled_connection normal = co_await pool.acquire();
        pg::pooled_connection critical = co_await pool.acquire(pg::pool_priority::critical);
        asio::co_spawn(
            io, wait('n', pg::pool_priority::normal), [](std::exception_ptr e) { CHECK(!e); });
        asio::co_spawn(
            io, wait('m', pg::pool_priority::normal), [](std::exception_ptr e) { CHECK(!e); });
        asio::co_spawn(
            io, wait('c', pg::pool_priority::critical), [](std::exception_ptr e) { CHECK(!e); });
        co_await test::wait_until([&] { return pool.statistics().waiting == 3; });
        normal.release();
        co_await test::wait_until([&] { return order.size() == 3; });
    });
    CHECK(order == std::vector<char>{'c', 'n', 'm'});
}

TEST_CASE("what a normal user left with the janitor does not take the reserve")
{
    asio::io_context io{1};
    pg::pool pool{io.get_executor(), test_pool(2).reserve(1).acquire_timeout(20ms)};
    test::run(io, [&]() -> asio::awaitable<void> {
        {
            pg::pooled_connection c = co_await pool.acquire();
            co_await c->execute_script("begin");
        }
        CHECK(pool.statistics().cleaning == 1);
        pg::pooled_connection reserved = co_await pool.acquire(pg::pool_priority::critical);
        CHECK(pool.size() == 2);
        pg::pooled_connection cleaned = co_await pool.acquire(); // waits for the janitor
        CHECK(pool.statistics().cleaning == 0);
    });
}

TEST_CASE("a pool of one connection reserves nothing")
{
    asio::io_context io{1};
    pg::pool pool{io.get_executor(), test_pool(1).reserve(5)};
    test::run(io, [&]() -> asio::awaitable<void> { co_await pool.execute(own_pid); });
    CHECK(pool.size() == 1);
}
