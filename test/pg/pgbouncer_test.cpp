// Through PgBouncer, which pools transactions: a session of it is many sessions of the server.
#include "traffic.hpp"

#include <dev/installation.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>

#include <doctest/doctest.h>

#include <libpq-fe.h>

#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

extern char** environ;

using namespace perdure;
using namespace std::chrono_literals;
namespace asio = boost::asio;
using test::contains;
using test::traffic;

namespace {

/// The server behind the proxies.
pg::connection_options direct()
{
    return pg::connection_options{test_server().dsn()};
}

/// A PgBouncer in front of the server of this test program, with two sessions of it.
class pooling_proxy
{
public:
    explicit pooling_proxy(const std::string& mode = "transaction")
    {
        REQUIRE(::mkdtemp(directory_.data()) != nullptr);
        const std::string settings = directory_ + "/pgbouncer.ini";
        const auto user = dev::find_server_user();
        std::ofstream{settings} << "[databases]\npostgres = host=" << test_server().directory()
                                << " port=5432 dbname=postgres user=postgres\n[pgbouncer]\n"
                                << "unix_socket_dir = " << directory_
                                << "\nlisten_port = 6432\nauth_type = any\npool_mode = " << mode
                                << "\ndefault_pool_size = 2\nlogfile = " << directory_ << "/log\n"
                                << (user ? "user = " + user->name + "\n" : "");
        if (user) {
            REQUIRE(::chown(directory_.c_str(), user->uid, user->gid) == 0);
            REQUIRE(::chown(settings.c_str(), user->uid, user->gid) == 0);
        }
        std::string program = "/usr/sbin/pgbouncer";
        std::string quiet = "-q";
        std::string file = settings;
        char* const arguments[] = {program.data(), quiet.data(), file.data(), nullptr};
        REQUIRE_MESSAGE(
            ::posix_spawn(&process_, program.c_str(), nullptr, nullptr, arguments, environ) == 0,
            "PgBouncer is needed: ./dev setup test");
        const auto end = std::chrono::steady_clock::now() + test::deadline;
        while (PQping(dsn().c_str()) != PQPING_OK) {
            REQUIRE(std::chrono::steady_clock::now() < end);
            std::this_thread::sleep_for(5ms);
        }
    }
    pooling_proxy(const pooling_proxy&) = delete;
    pooling_proxy& operator=(const pooling_proxy&) = delete;
    ~pooling_proxy()
    {
        ::kill(process_, SIGTERM);
        ::waitpid(process_, nullptr, 0);
        std::filesystem::remove_all(directory_);
    }

    std::string dsn() const
    {
        return "host=" + directory_ + " port=6432 user=anybody dbname=postgres";
    }

    pg::connection_options options() const
    {
        pg::connection_options through{dsn()};
        through.prepared_statements(false);
        return through;
    }

private:
    std::string directory_ = "/var/tmp/perdure-pool-XXXXXX";
    pid_t process_ = 0;
};

} // namespace

TEST_CASE("a pool works through a transaction-pooling proxy, beside a listener that goes direct")
{
    const pooling_proxy proxy;
    asio::io_context io{1};
    traffic t{
        io, direct(), pg::pool_options{proxy.options()}.size(8), pg::listener_options{direct()}};
    test::run(io, [&]() -> asio::awaitable<void> {
        t.start(8);
        co_await t.go_on(1, 500);
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

TEST_CASE("an operation cancelled behind a pooling proxy leaves nothing to its next client")
{
    const pooling_proxy proxy;
    asio::io_context io{1};
    pg::pool pool{io.get_executor(), pg::pool_options{proxy.options()}.size(1)};
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
    pg::listener_options options{proxy.options()};
    pg::listener listener{io.get_executor(), options.channels({"c"}).response_timeout(500ms)};
    std::vector<pg::error> down;
    int gaps = 0;
    bool ended = false;
    listener.on_down([&](const pg::error& e) { down.push_back(e); });
    listener.on_gap([&] { ++gaps; });
    test::run(io, [&]() -> asio::awaitable<void> {
        asio::co_spawn(io, listener.run(), [&](std::exception_ptr e) { ended = !e; });
        co_await test::wait_until([&] { return !down.empty() || gaps > 0; });
        CHECK(gaps == 0);
        REQUIRE(!down.empty());
        CHECK(down[0].code() == pg::errc::notifications_blocked);
        CHECK(contains(down[0].what(), "transaction-pooling proxy"));
        CHECK(contains(down[0].what(), "give the listener a direct connection"));
        pg::pool pool{io.get_executor(), pg::pool_options{proxy.options()}};
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
    pg::listener_options options{proxy.options()};
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
