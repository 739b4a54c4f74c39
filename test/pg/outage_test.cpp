// What a pool and a listener do when the server or the network between fails: each case works on
// through a fault and compares at the end what was confirmed with what is there.
#include "traffic.hpp"

#include "../proxy.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <thread>

using namespace perdure;
using namespace std::chrono_literals;
namespace asio = boost::asio;
using test::contains;
using test::traffic;

namespace {

constexpr int writers = 4;
constexpr std::size_t some = 50; // operations

/// Traffic between `dsn`, which faults concern, and the server that `control` names.
traffic traffic_over(asio::io_context& io, const std::string& dsn, const std::string& control)
{
    const pg::connection_options faulty{dsn};
    pg::pool_options pool{faulty};
    pool.size(writers).acquire_timeout(1s);
    pg::listener_options listener{faulty};
    listener.liveness_interval(300ms).response_timeout(1s);
    return traffic{io, pg::connection_options{control}, pool, listener};
}

/// Runs what blocks on a thread of its own, while the executor goes on.
asio::awaitable<void> elsewhere(std::function<void()> blocking)
{
    std::atomic<bool> done = false;
    std::jthread thread{[&] {
        blocking();
        done = true;
    }};
    co_await test::wait_until([&] { return done.load(); });
}

/// True if one of the failures has this code and this text in it.
bool has(const std::vector<pg::error>& failures, pg::errc code, std::string_view text)
{
    return std::ranges::any_of(
        failures, [&](const pg::error& e) { return e.code() == code && contains(e.what(), text); });
}

/// A server that is stopped and started under traffic.
void restart(dev::stop_mode mode)
{
    dev::server own;
    asio::io_context io{1};
    traffic t = traffic_over(io, own.dsn(), own.dsn());
    test::run(io, [&]() -> asio::awaitable<void> {
        t.start(writers);
        for (int round = 1; round <= 3; ++round) {
            co_await t.go_on(round, some);
            co_await elsewhere([&] { own.stop(mode); });
            co_await test::wait_until([&] {
                return has(t.down, pg::errc::connect_failed, "No such file") &&
                       has(t.failures, pg::errc::connect_failed, "No such file");
            });
            co_await elsewhere([&] { own.start(); });
        }
        co_await t.go_on(4, some);
        co_await t.finish();
    });
    CHECK(t.gaps == 4);
}

} // namespace

TEST_CASE("sessions that are terminated lose no operation and do none twice")
{
    asio::io_context io{1};
    const std::string name = unique_schema();
    traffic t = traffic_over(io, test_dsn() + " application_name=" + name, test_dsn());
    const pg::statement terminate{
        "select count(pg_terminate_backend(pid, 10000)) from pg_stat_activity "
        "where application_name = $1"};
    test::run(io, [&]() -> asio::awaitable<void> {
        pg::connection control = co_await test::connect();
        t.start(writers);
        for (int round = 1; round <= 10; ++round) {
            co_await t.go_on(round, some);
            const pg::result ended = co_await control.execute(terminate, name);
            CHECK(ended.get<std::int64_t>(0, 0) > 1);
        }
        co_await t.go_on(11, some);
        co_await t.finish();
    });
    CHECK(t.gaps == 11);
    REQUIRE(t.down.size() == 10);
    for (const pg::error& e : t.down) {
        CHECK(e.code() == pg::errc::connection_lost);
        CHECK(e.sqlstate() == "57P01");
        CHECK(contains(e.what(), "terminating connection due to administrator command"));
    }
    CHECK(has(t.failures, pg::errc::commit_unknown, "due to administrator command"));
}

TEST_CASE("a server that is stopped fast and started is found again, nothing lost, nothing twice")
{
    restart(dev::stop_mode::fast);
}

TEST_CASE("a server that crashes and recovers is found again, nothing lost, nothing twice")
{
    restart(dev::stop_mode::immediate);
}

TEST_CASE("a port that refuses for ten seconds is tried again until it does not")
{
    asio::io_context io{1};
    test::proxy line{test_dsn()};
    traffic t = traffic_over(io, line.dsn(), test_dsn());
    test::run(io, [&]() -> asio::awaitable<void> {
        t.start(writers);
        co_await t.go_on(1, some);
        line.refuse();
        co_await test::pause(10s);
        CHECK(t.down.size() == 2); // lost, then refused: said once
        CHECK(has(t.down, pg::errc::connect_failed, "Connection refused"));
        CHECK(has(t.failures, pg::errc::connect_failed, "Connection refused"));
        const auto begun = std::chrono::steady_clock::now();
        line.accept_again();
        co_await t.go_on(2, some);
        CHECK(std::chrono::steady_clock::now() - begun < 2s);
        co_await t.finish();
    });
    CHECK(t.gaps == 2);
}

TEST_CASE("connections that are cut in the middle of anything lose nothing and repeat nothing")
{
    asio::io_context io{1};
    test::proxy line{test_dsn()};
    traffic t = traffic_over(io, line.dsn(), test_dsn());
    test::run(io, [&]() -> asio::awaitable<void> {
        t.start(writers);
        for (int round = 0; round < 30; ++round) {
            co_await t.go_on(1, some / 10);
            line.cut();
        }
        for (int round = 0; round < 10; ++round) {
            co_await t.go_on(1, some / 10);
            line.arm(round % 2 ? test::fault::before_commit : test::fault::before_commit_answer);
        }
        co_await t.go_on(1, some);
        co_await t.finish();
    });
    CHECK(t.unknown >= 10);
}
