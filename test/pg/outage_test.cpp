// What a pool and a listener do when the server or the network between fails: each case works on
// through a fault and compares at the end what was confirmed with what is there.
#include "await_points.hpp"
#include "traffic.hpp"

#include "../proxy.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <future>
#include <ranges>

using namespace perdure;
using namespace std::chrono_literals;
namespace asio = boost::asio;
using test::contains;
using test::traffic;

namespace {

constexpr int writers = 4;
constexpr std::size_t some = 50; // operations

/// How long a silence is taken for a fault. Where none is meant to be, no stall of a loaded machine
/// may be taken for one.
constexpr std::chrono::milliseconds patience = 5s;
constexpr std::chrono::milliseconds impatience = 500ms;

/// For a server that does not crash: what it writes need not wait for its disk.
const std::string without_disk = "-c synchronous_commit=off";

/// Traffic between `dsn`, which faults concern, and the server that `control` names.
traffic traffic_over(
    asio::io_context& io, const std::string& dsn, const std::string& control,
    std::string settings = without_disk, std::chrono::milliseconds limit = patience)
{
    // What a client left half way must not hold its locks for longer than the test lasts.
    settings += " -c idle_in_transaction_session_timeout=" + std::to_string(limit.count());
    pg::connection_options faulty{dsn + " options='" + settings + "'"};
    faulty.connect_timeout(limit).response_timeout(limit);
    pg::pool_options pool{faulty};
    pool.size(writers).acquire_timeout(2 * limit);
    pg::listener_options listener{faulty};
    listener.liveness_interval(300ms).response_timeout(limit);
    return traffic{io, pg::connection_options{control}, pool, listener};
}

/// Runs what blocks on a thread of its own, while the executor goes on.
asio::awaitable<void> elsewhere(std::function<void()> blocking)
{
    std::future<void> done = std::async(std::launch::async, std::move(blocking));
    co_await test::wait_until([&] { return done.wait_for(0s) == std::future_status::ready; }, 2min);
    done.get();
}

/// What is reported from now on: no round of a test is to be content with what an earlier one saw.
class reports
{
public:
    explicit reports(const traffic& t)
        : traffic_{t}, down_before_{t.down.size()}, failures_before_{t.failures.size()}
    {}

    /// How many times the listener reported this code with this text.
    std::ptrdiff_t down(pg::errc code, std::string_view text) const
    {
        return count(traffic_.down, down_before_, code, text);
    }

    /// How many times writers met this code with this text.
    std::ptrdiff_t failed(pg::errc code, std::string_view text) const
    {
        return count(traffic_.failures, failures_before_, code, text);
    }

private:
    static std::ptrdiff_t count(
        const std::vector<pg::error>& all, std::size_t before, pg::errc code, std::string_view text)
    {
        return std::ranges::count_if(all | std::views::drop(before), [&](const pg::error& e) {
            return e.code() == code && contains(e.what(), text);
        });
    }

    const traffic& traffic_;
    std::size_t down_before_;
    std::size_t failures_before_;
};

/// A server that is stopped and started under traffic.
void restart(dev::stop_mode mode)
{
    // Only processes are killed, so nothing needs a disk; a server that recovers flushes all it has.
    dev::server own{dev::server_options{}.setting("fsync", "off")};
    asio::io_context io{1};
    traffic t = traffic_over(io, own.dsn(), own.dsn(), "");
    const auto work_on = [&]() -> asio::awaitable<void> {
        t.start(writers);
        for (int round = 0; round < 3; ++round) {
            co_await t.go_on(some);
            const reports now{t};
            co_await elsewhere([&] { own.stop(mode); });
            co_await test::wait_until([&] {
                return now.down(pg::errc::connect_failed, "No such file") > 0 &&
                       now.failed(pg::errc::connect_failed, "No such file") > 0;
            });
            co_await elsewhere([&] { own.start(); });
        }
        co_await t.go_on(some);
        co_await t.finish();
    };
    test::run(io, work_on(), 2min);
    CHECK(t.gaps >= 4);
}

} // namespace

TEST_CASE("sessions that are terminated lose no operation and do none twice")
{
    asio::io_context io{1};
    const std::string name = unique_schema();
    traffic t = traffic_over(io, test_dsn() + " application_name=" + name, test_dsn());
    const reports all{t};
    const pg::statement terminate{
        "select count(pg_terminate_backend(pid, 10000)) from pg_stat_activity "
        "where application_name = $1"};
    const std::string_view words = "terminating connection due to administrator command [57P01]";
    test::run(io, [&]() -> asio::awaitable<void> {
        pg::connection control = co_await test::connect();
        t.start(writers);
        for (int round = 0; round < 10; ++round) {
            co_await t.go_on(some);
            const reports now{t};
            const pg::result ended = co_await control.execute(terminate, name);
            CHECK(ended.get<std::int64_t>(0, 0) > 1);
            co_await test::wait_until(
                [&] { return now.down(pg::errc::connection_lost, words) > 0; });
        }
        co_await t.go_on(some);
        co_await t.finish();
    });
    CHECK(t.gaps >= 11);
    CHECK(all.failed(pg::errc::commit_unknown, words) > 0);
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
        co_await t.go_on(some);
        const reports now{t};
        line.refuse();
        co_await test::pause(10s);
        const auto refused = now.down(pg::errc::connect_failed, "Connection refused");
        CHECK(refused > 0);
        CHECK(refused < 5); // said once, and not again at each of some fifty attempts
        CHECK(now.failed(pg::errc::connect_failed, "Connection refused") > 0);
        const auto begun = std::chrono::steady_clock::now();
        line.accept_again();
        co_await test::wait_until([&] { return t.listens(); });
        // A pause is 200 ms at most, and would be 5 s if the server were silent.
        CHECK(std::chrono::steady_clock::now() - begun < 3s);
        co_await t.go_on(some);
        co_await t.finish();
    });
    CHECK(t.gaps >= 2);
}

TEST_CASE("connections that are cut in the middle of anything lose nothing and repeat nothing")
{
    asio::io_context io{1};
    test::proxy line{test_dsn()};
    traffic t = traffic_over(io, line.dsn(), test_dsn());
    test::run(io, [&]() -> asio::awaitable<void> {
        t.start(writers);
        for (int round = 0; round < 30; ++round) {
            co_await t.go_on(some / 10);
            line.cut();
        }
        for (int round = 0; round < 10; ++round) {
            co_await t.go_on(some / 10);
            const reports now{t};
            const std::size_t before = line.faults();
            line.arm(round % 2 ? test::fault::before_commit : test::fault::before_commit_answer);
            co_await test::wait_until([&] { return line.faults() > before; });
            co_await test::wait_until([&] { return now.failed(pg::errc::commit_unknown, "") > 0; });
        }
        co_await t.go_on(some);
        co_await t.finish();
    });
}

TEST_CASE("connections that fall silent are given up, and new ones go on where they were")
{
    asio::io_context io{1};
    test::proxy line{test_dsn()};
    traffic t = traffic_over(io, line.dsn(), test_dsn(), without_disk, impatience);
    const std::string_view words = "did not answer the safety statement within 500 ms";
    const std::string_view silence = "the server was silent for 500 ms";
    test::run(io, [&]() -> asio::awaitable<void> {
        t.start(writers);
        for (const bool closed_behind : {false, true}) {
            co_await t.go_on(some);
            const reports now{t};
            if (closed_behind)
                line.vanish();
            else
                line.silence();
            co_await test::wait_until([&] {
                return now.down(pg::errc::connect_timed_out, words) > 0 &&
                       now.failed(pg::errc::commit_unknown, silence) > 0;
            });
        }
        co_await t.go_on(some);
        co_await t.finish();
    });
}

TEST_CASE("a network that drops everything for a while and heals is waited for")
{
    asio::io_context io{1};
    test::proxy line{test_dsn()};
    traffic t = traffic_over(io, line.dsn(), test_dsn(), without_disk, impatience);
    const std::string_view silence = "the server was silent for 500 ms";
    test::run(io, [&]() -> asio::awaitable<void> {
        t.start(writers);
        for (int round = 0; round < 2; ++round) {
            co_await t.go_on(some);
            const reports now{t};
            line.freeze();
            co_await test::wait_until([&] {
                return now.down(pg::errc::connect_timed_out, "of connecting") > 0 &&
                       now.failed(pg::errc::connect_timed_out, "of connecting") > 0 &&
                       now.failed(pg::errc::commit_unknown, silence) > 0;
            });
            line.thaw();
        }
        co_await t.go_on(some);
        co_await t.finish();
    });
}

TEST_CASE("a server that says a byte at a time is understood")
{
    asio::io_context io{1};
    test::proxy line{test_dsn()};
    line.drip();
    traffic t = traffic_over(io, line.dsn(), test_dsn());
    test::run(io, [&]() -> asio::awaitable<void> {
        t.start(writers);
        co_await t.go_on(some);
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
