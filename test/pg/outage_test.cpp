// What a pool and a listener do when the server or the network between fails: each case works on
// through a fault and compares at the end what was confirmed with what is there.
#include "await_points.hpp"
#include "traffic.hpp"

#include "../proxy.hpp"

#include <doctest/doctest.h>

#include <future>

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
    // What a client left half way must not hold its locks for longer than the test lasts.
    pg::connection_options faulty{dsn + " options='-c idle_in_transaction_session_timeout=500'"};
    faulty.connect_timeout(500ms).response_timeout(500ms);
    pg::pool_options pool{faulty};
    pool.size(writers).acquire_timeout(1s);
    pg::listener_options listener{faulty};
    listener.liveness_interval(300ms).response_timeout(500ms);
    return traffic{io, pg::connection_options{control}, pool, listener};
}

/// Runs what blocks on a thread of its own, while the executor goes on.
asio::awaitable<void> elsewhere(std::function<void()> blocking)
{
    std::future<void> done = std::async(std::launch::async, std::move(blocking));
    co_await test::wait_until([&] { return done.wait_for(0s) == std::future_status::ready; }, 2min);
    done.get();
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
    // Only processes are killed, so nothing needs a disk; a server that recovers flushes all it has.
    dev::server own{dev::server_options{}.setting("fsync", "off")};
    asio::io_context io{1};
    traffic t = traffic_over(io, own.dsn(), own.dsn());
    const auto work_on = [&]() -> asio::awaitable<void> {
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
    };
    test::run(io, work_on(), 2min);
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

TEST_CASE("connections that fall silent are given up, and new ones go on where they were")
{
    asio::io_context io{1};
    test::proxy line{test_dsn()};
    traffic t = traffic_over(io, line.dsn(), test_dsn());
    test::run(io, [&]() -> asio::awaitable<void> {
        t.start(writers);
        co_await t.go_on(1, some);
        line.silence();
        co_await t.go_on(2, some);
        line.vanish();
        co_await t.go_on(3, some);
        co_await t.finish();
    });
    REQUIRE(t.down.size() == 2);
    for (const pg::error& e : t.down)
        CHECK(contains(e.what(), "did not answer the safety statement within 500 ms"));
    CHECK(has(t.failures, pg::errc::commit_unknown, "the server was silent for 500 ms"));
}

TEST_CASE("a network that drops everything for a while and heals is waited for")
{
    asio::io_context io{1};
    test::proxy line{test_dsn()};
    traffic t = traffic_over(io, line.dsn(), test_dsn());
    test::run(io, [&]() -> asio::awaitable<void> {
        t.start(writers);
        for (int round = 1; round <= 2; ++round) {
            co_await t.go_on(round, some);
            line.freeze();
            co_await test::wait_until([&] {
                return t.down.size() == 2 * static_cast<std::size_t>(round) &&
                       has(t.failures, pg::errc::connect_timed_out, "within 500 ms");
            });
            line.thaw();
        }
        co_await t.go_on(3, some);
        co_await t.finish();
    });
    CHECK(has(t.down, pg::errc::connect_timed_out, "of connecting"));
    CHECK(has(t.failures, pg::errc::commit_unknown, "the server was silent for 500 ms"));
}

TEST_CASE("a server that says a byte at a time is understood")
{
    asio::io_context io{1};
    test::proxy line{test_dsn()};
    line.drip();
    traffic t = traffic_over(io, line.dsn(), test_dsn());
    test::run(io, [&]() -> asio::awaitable<void> {
        t.start(writers);
        co_await t.go_on(1, some);
        co_await t.finish();
    });
    CHECK(t.failures.empty());
    CHECK(t.down.empty());
}

TEST_CASE("messages are understood however they are cut into segments")
{
    for (const std::size_t bytes : {1u, 2u, 3u, 5u, 17u, 100'000u}) {
        INFO(bytes, " bytes at a time");
        test::world w;
        w.server.send_at_most(bytes);
        std::vector<std::string> heard;
        pg::listener_options options{w.options()};
        w.listener.emplace(w.io.get_executor(), options.channels({"c"}));
        w.listener->on_gap([&] {
            for (int i = 0; i < 20; ++i)
                w.server.notify("c", std::string(static_cast<std::size_t>(i) * 50, 'x'));
        });
        w.listener->on_notification([&](const pg::notification& n) { heard.push_back(n.payload); });
        w.pool.emplace(w.io.get_executor(), pg::pool_options{w.options()});
        const auto work = [&]() -> asio::awaitable<void> {
            const pg::statement large{"select " + std::string(3'000, 'y')};
            pg::pipeline p;
            p.begin();
            for (int i = 0; i < 3; ++i) p.add(large);
            p.commit();
            const pg::pipeline_result r = co_await w.pool->run(std::move(p));
            CHECK(r[3].get<std::string>(0, 0) == large.sql());
        };
        bool ended = false;
        asio::co_spawn(w.io, w.listener->run(), [&](std::exception_ptr e) { ended = !e; });
        w.run(work());
        w.drive([&] { return heard.size() == 20; }, [&] { return w.step(); });
        for (std::size_t i = 0; i < 20; ++i) CHECK(heard[i].size() == i * 50);
        w.listener->stop();
        w.drive([&] { return ended; }, [&] { return w.step(); });
    }
}

TEST_CASE("a server that ends the session in the middle of a result is quoted")
{
    using test::fake_server;
    const std::string one{"\0\1", 2};
    const std::string row = fake_server::message('D', one + std::string{"\0\0\0\1x", 5});
    const std::string column = one + std::string{"t\0\0\0\0\0\0\0\0\0\0\31", 12} +
                               std::string{"\377\377\377\377\377\377\0\1", 8};
    std::string words = "SFATAL";
    for (const char* field : {"VFATAL", "C57P01", "Mterminating connection due to a whim"})
        words += '\0' + std::string{field};
    fake_server server{[&](auto& client) {
        fake_server::welcome(client, "15.4");
        std::array<char, 4096> request{};
        client.read_some(boost::asio::buffer(request));
        std::string answer = fake_server::message('1', "");
        if (std::string_view{request.data(), 60}.find("begin") != std::string_view::npos)
            answer += fake_server::message('2', "") + fake_server::message('n', "") +
                      fake_server::message('C', std::string_view{"BEGIN\0", 6}) +
                      fake_server::message('1', "");
        answer += fake_server::message('2', "") + fake_server::message('T', column) + row + row;
        fake_server::send(client, answer + fake_server::message('E', words + std::string(2, '\0')));
    }};
    asio::io_context io{1};
    pg::connection_options options{server.dsn()};
    options.prepared_statements(false);
    pg::pool pool{io.get_executor(), pg::pool_options{options}};
    test::run(io, [&]() -> asio::awaitable<void> {
        const pg::statement rows{"select t"};
        const pg::error lost = co_await test::failure_of(pool.execute(rows));
        CHECK(lost.code() == pg::errc::connection_lost);
        CHECK(lost.sqlstate() == "57P01");
        CHECK(contains(lost.what(), "terminating connection due to a whim [57P01]"));
        pg::pipeline p;
        p.begin();
        p.add(rows);
        p.commit();
        const pg::error unknown = co_await test::failure_of(pool.run(std::move(p)));
        CHECK(unknown.code() == pg::errc::commit_unknown);
        CHECK(contains(unknown.what(), "terminating connection due to a whim [57P01]"));
        CHECK(pool.size() == 0);
    });
}
