#include "fake_server.hpp"
#include "session.hpp"

#include <boost/asio/thread_pool.hpp>

#include <doctest/doctest.h>

using namespace perdure;
using namespace std::chrono_literals;
namespace asio = boost::asio;
using test::contains;

namespace {

pg::error failure_to_connect(pg::connection_options options)
{
    return test::run([](pg::connection_options o) -> asio::awaitable<pg::error> {
        const pg::error e = co_await test::failure_of(pg::connection::connect(o));
        co_return e;
    }(std::move(options)));
}

/// A port on which nothing listens.
std::string closed_port()
{
    asio::io_context io;
    asio::ip::tcp::acceptor taken{io, {asio::ip::address_v4::loopback(), 0}};
    return std::to_string(taken.local_endpoint().port());
}

} // namespace

TEST_CASE("a connection knows its server and session")
{
    test::run([]() -> asio::awaitable<void> {
        pg::connection c = co_await test::connect();
        CHECK(c.usable());
        CHECK(c.clean());
        CHECK(c.server_version() >= 150000);
        const pg::statement self{"select pg_backend_pid(), current_setting('application_name'), "
                                 "current_setting('client_encoding')"};
        const pg::result r = co_await c.execute(self);
        CHECK(r.get<int>(0, 0) == c.backend_pid());
        CHECK(r.get<std::string>(0, 1) == "perdure");
        CHECK(r.get<std::string>(0, 2) == "UTF8");
        c.close();
        c.close();
        CHECK(!c.usable());
        const pg::error e = co_await test::failure_of(c.execute(self));
        CHECK(e.code() == pg::errc::closed);
    });
}

TEST_CASE("a session can be given a name, which its connection string overrides")
{
    test::run([]() -> asio::awaitable<void> {
        const pg::statement self{"select current_setting('application_name')"};
        pg::connection_options options{test_dsn()};
        pg::connection c =
            co_await pg::connection::connect(options.application_name("shop's listener"));
        CHECK((co_await c.execute(self)).get<std::string>(0, 0) == "shop's listener");
        c = co_await pg::connection::connect(options.dsn(test_dsn() + " application_name=mine"));
        CHECK((co_await c.execute(self)).get<std::string>(0, 0) == "mine");
    });
}

TEST_CASE("what the connection string names wins over the library's choice")
{
    test::run([]() -> asio::awaitable<void> {
        pg::connection_options options{
            test_dsn() + " application_name=mine options='-c work_mem=3MB'"};
        options.statement_timeout(1234ms);
        pg::connection c = co_await pg::connection::connect(options);
        const pg::statement settings{
            "select current_setting('application_name'), current_setting('work_mem'), "
            "current_setting('statement_timeout')"};
        const pg::result r = co_await c.execute(settings);
        CHECK(r.get<std::string>(0, 0) == "mine");
        CHECK(r.get<std::string>(0, 1) == "3MB");
        CHECK(r.get<std::string>(0, 2) == "1234ms");
    });
}

TEST_CASE("blocking calls run on the executor that was given for them, and nowhere else")
{
    asio::thread_pool threads{1};
    asio::io_context io{1};
    pg::connection_options options = test::test_connection();
    options.blocking_executor(threads.get_executor());
    test::run(io, [&]() -> asio::awaitable<void> {
        pg::connection c = co_await pg::connection::connect(options);
        CHECK(c.usable());
    });
    threads.stop();
    threads.join();
    options.connect_timeout(20ms);
    const pg::error e = failure_to_connect(options);
    CHECK(e.code() == pg::errc::connect_timed_out);
}

TEST_CASE("an idle connection leaves nothing pending on its executor")
{
    asio::io_context io{1};
    std::optional<pg::connection> idle;
    test::run(io, [&]() -> asio::awaitable<void> { idle.emplace(co_await test::connect()); });
    io.restart();
    io.run(); // returns
    CHECK(idle->usable());
}

TEST_CASE("a malformed connection string is refused in libpq's words")
{
    const pg::error unknown = failure_to_connect(pg::connection_options{"hots=localhost"});
    CHECK(unknown.code() == pg::errc::connect_failed);
    CHECK(contains(
        unknown.what(), "the connection string is not valid: invalid connection option \"hots\""));
    const pg::error malformed = failure_to_connect(pg::connection_options{"shop"});
    CHECK(contains(malformed.what(), "missing \"=\" after \"shop\""));
}

TEST_CASE("an unknown host is named")
{
    const pg::error e = failure_to_connect(pg::connection_options{"host=no-such-host.invalid"});
    CHECK(e.code() == pg::errc::connect_failed);
    CHECK(contains(e.what(), "no-such-host.invalid"));
}

TEST_CASE("an unknown database is named, with its SQLSTATE")
{
    const pg::error e = failure_to_connect(pg::connection_options{test_dsn() + " dbname=nowhere"});
    CHECK(e.code() == pg::errc::connect_failed);
    CHECK(e.sqlstate() == "3D000");
    CHECK(contains(e.what(), "database \"nowhere\" does not exist [3D000]"));
    CHECK(!contains(e.what(), "postinit.c"));
    CHECK(!contains(e.what(), "\n"));
}

TEST_CASE("a server that is down is connect_failed at once, and says where it was looked for")
{
    const std::string port = closed_port();
    const pg::error tcp = failure_to_connect(pg::connection_options{"host=127.0.0.1 port=" + port});
    CHECK(tcp.code() == pg::errc::connect_failed);
    CHECK(contains(tcp.what(), "port " + port));
    CHECK(contains(tcp.what(), "Connection refused"));
    const pg::error local = failure_to_connect(pg::connection_options{"host=/nowhere"});
    CHECK(contains(local.what(), "/nowhere/.s.PGSQL.5432"));
}

TEST_CASE("a server older than 15 is refused with one sentence")
{
    test::fake_server old{[](auto& client) {
        test::fake_server::welcome(client, "14.9");
        test::fake_server::listen_until_closed(client);
    }};
    const pg::error e = failure_to_connect(pg::connection_options{old.dsn()});
    CHECK(e.code() == pg::errc::unsupported_server);
    CHECK(std::string{e.what()} == "the server is PostgreSQL 14.9; version 15 or newer is needed");
}

TEST_CASE("a server that does not answer is given up at the deadline")
{
    test::fake_server silent{[](auto& client) { test::fake_server::listen_until_closed(client); }};
    pg::connection_options options{silent.dsn()};
    options.connect_timeout(50ms);
    const pg::error e = failure_to_connect(options);
    CHECK(e.code() == pg::errc::connect_timed_out);
}

TEST_CASE("of several hosts each gets its share of the time, and the one that answers is taken")
{
    test::fake_server silent{[](auto& client) { test::fake_server::listen_until_closed(client); }};
    test::fake_server sound{[](auto& client) {
        test::fake_server::welcome(client, "15.4");
        test::fake_server::listen_until_closed(client);
    }};
    const auto port_of = [](const std::string& dsn) {
        const auto at = dsn.find("port=") + 5;
        return dsn.substr(at, dsn.find(' ', at) - at);
    };
    const std::string closed = closed_port();
    pg::connection_options options{
        "host=127.0.0.1,127.0.0.1,127.0.0.1 port=" + closed + "," + port_of(silent.dsn()) + "," +
        port_of(sound.dsn()) + " user=x dbname=x sslmode=disable gssencmode=disable"};
    options.connect_timeout(2s);
    test::run([&]() -> asio::awaitable<void> {
        pg::connection c = co_await pg::connection::connect(options);
        CHECK(c.server_version() == 150004);
    });

    pg::connection_options neither{
        "host=127.0.0.1,127.0.0.1 port=" + closed + "," + port_of(silent.dsn()) +
        " user=x dbname=x sslmode=disable gssencmode=disable"};
    neither.connect_timeout(100ms);
    const pg::error e = failure_to_connect(neither);
    CHECK(e.code() == pg::errc::connect_failed);
    CHECK(contains(e.what(), "Connection refused"));
    CHECK(contains(e.what(), "did not answer"));
}

TEST_CASE("a server that hangs up in the middle of an answer is a lost connection")
{
    test::fake_server server{[](auto& client) {
        test::fake_server::welcome(client, "15.4");
        std::array<char, 1> request{};
        boost::asio::read(client, boost::asio::buffer(request));
        const std::string half = test::fake_server::message('1', "") + "T";
        test::fake_server::send(client, half);
    }};
    test::run([&]() -> asio::awaitable<void> {
        pg::connection c = co_await pg::connection::connect(pg::connection_options{server.dsn()});
        const pg::error e = co_await test::failure_of(c.execute(pg::statement{"select 1"}));
        CHECK(e.code() == pg::errc::connection_lost);
        CHECK(!c.usable());
    });
}
