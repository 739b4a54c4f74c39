// Through PgBouncer, which pools transactions: a session of it is many sessions of the server.
#include "traffic.hpp"

#include "../pooling_proxy.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>

#include <doctest/doctest.h>

#include <algorithm>

using namespace perdure;
using namespace std::chrono_literals;
namespace asio = boost::asio;
using test::contains;
using test::pooling_proxy;
using test::traffic;

namespace {

/// The server behind the proxies.
pg::connection_options direct()
{
    return pg::connection_options{test_server().dsn()};
}

/// How to connect through it.
pg::connection_options through(const pooling_proxy& proxy)
{
    pg::connection_options options{proxy.dsn()};
    options.prepared_statements(false);
    return options;
}

} // namespace

TEST_CASE("a pool works through a transaction-pooling proxy, beside a listener that goes direct")
{
    const pooling_proxy proxy;
    asio::io_context io{1};
    traffic t{
        io, direct(), pg::pool_options{through(proxy)}.size(8), pg::listener_options{direct()}};
    test::run(io, [&]() -> asio::awaitable<void> {
        t.start(8);
        co_await t.go_on(500);
        co_await t.finish();
        const auto work = [](pg::transaction& open) -> asio::awaitable<int> {
            const pg::statement next{"select $1 + 1"};
            int n = 0;
            for (int i = 0; i < 5; ++i) {
                const pg::result r = co_await open.execute(next, n);
                n = r.get<int>(0, 0);
            }
            co_return n;
        };
        const int counted = co_await t.pool().transaction(work);
        CHECK(counted == 5);
    });
    CHECK(t.failures.empty());
}

TEST_CASE("prepared statements behind a proxy that pools transactions fail, and say what to do")
{
    const pooling_proxy proxy;
    asio::io_context io{1};
    test::run(io, [&]() -> asio::awaitable<void> {
        auto one = co_await pg::connection::connect(pg::connection_options{proxy.dsn()});
        auto other = co_await pg::connection::connect(pg::connection_options{proxy.dsn()});
        const pg::statement statement{"select 1"};
        co_await one.execute(statement);
        std::string said;
        try {
            co_await other.execute(statement); // in the session that the first one had
        } catch (const pg::error& refused) {
            said = refused.what();
        }
        CHECK(said.ends_with("switch prepared statements off"));
    });
}

TEST_CASE("an operation cancelled behind a pooling proxy leaves nothing to its next client")
{
    const pooling_proxy proxy;
    asio::io_context io{1};
    pg::pool pool{io.get_executor(), pg::pool_options{through(proxy)}.size(1)};
    asio::cancellation_signal cancel;
    bool ended = false;
    const auto sleep = [&]() -> asio::awaitable<void> {
        pg::pipeline p;
        p.begin();
        p.add(pg::statement{"create temporary table left_over () on commit drop"});
        p.add(pg::statement{"select pg_sleep(1)"});
        p.commit();
        co_await pool.run(std::move(p));
    };
    test::run(io, [&]() -> asio::awaitable<void> {
        for (int round = 0; round < 3; ++round) {
            ended = false;
            asio::co_spawn(
                io, sleep(), asio::bind_cancellation_slot(cancel.slot(), [&](std::exception_ptr e) {
                    ended = e != nullptr;
                }));
            co_await test::pause(20ms);
            cancel.emit(asio::cancellation_type::terminal);
            co_await test::wait_until([&] { return ended; });
            for (int i = 0; i < 10; ++i) {
                const pg::statement echo{"select $1, pg_current_xact_id_if_assigned() is null"};
                const pg::result r = co_await pool.execute(echo, i);
                CHECK(r.get<int>(0, 0) == i);
                CHECK(r.get<bool>(0, 1));
            }
        }
    });
}

TEST_CASE("a listener behind a transaction-pooling proxy says that it cannot hear, and why")
{
    const pooling_proxy proxy;
    asio::io_context io{1};
    pg::listener_options options{through(proxy)};
    pg::listener listener{io.get_executor(), options.channels({"c"}).response_timeout(500ms)};
    std::vector<pg::error> down;
    int gaps = 0;
    bool ended = false;
    listener.on_down([&](const pg::error& e) { down.push_back(e); });
    listener.on_gap([&] { ++gaps; });
    test::run(io, [&]() -> asio::awaitable<void> {
        asio::co_spawn(io, listener.run(), [&](std::exception_ptr e) { ended = !e; });
        // A slow answer may be reported before.
        const auto blocked = [&] {
            return std::ranges::find_if(down, [](const pg::error& e) {
                return e.code() == pg::errc::notifications_blocked;
            });
        };
        co_await test::wait_until([&] { return blocked() != down.end() || gaps > 0; });
        CHECK(gaps == 0);
        REQUIRE(blocked() != down.end());
        const std::string why = blocked()->what();
        CHECK(contains(why, "transaction-pooling proxy"));
        CHECK(contains(why, "give the listener a direct connection"));
        pg::pool pool{io.get_executor(), pg::pool_options{through(proxy)}};
        for (int i = 0; i < 10; ++i) { // the server's sessions hear nothing any more
            const pg::result r = co_await pool.execute(
                pg::statement{"select count(*) from pg_listening_channels()"});
            CHECK(r.get<std::int64_t>(0, 0) == 0);
        }
        listener.stop(); // in the middle of the long pause
        co_await test::wait_until([&] { return ended; });
    });
}

TEST_CASE("a listener behind a session-pooling proxy hears")
{
    const pooling_proxy proxy{"session"};
    asio::io_context io{1};
    pg::listener_options options{through(proxy)};
    pg::listener listener{io.get_executor(), options.channels({"c"}).response_timeout(5s)};
    bool up = false;
    bool heard = false;
    bool ended = false;
    listener.on_down([&](const pg::error& e) { FAIL_CHECK(std::string{e.what()}); });
    listener.on_gap([&] { up = true; });
    listener.on_notification([&](const pg::notification&) { heard = true; });
    test::run(io, [&]() -> asio::awaitable<void> {
        asio::co_spawn(io, listener.run(), [&](std::exception_ptr e) { ended = !e; });
        co_await test::wait_until([&] { return up; });
        pg::connection c = co_await pg::connection::connect(direct());
        co_await c.execute(pg::statement{"notify c"});
        co_await test::wait_until([&] { return heard; });
        listener.stop();
        co_await test::wait_until([&] { return ended; });
    });
}
