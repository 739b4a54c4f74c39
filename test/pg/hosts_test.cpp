// Several hosts in one connection string: a primary and its standby, and one that is silent.
#include "fake_server.hpp"
#include "temporary_directory.hpp"
#include "traffic.hpp"

#include <dev/installation.hpp>

#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>

using namespace perdure;
using namespace std::chrono_literals;
namespace asio = boost::asio;
using test::contains;
using test::traffic;

namespace {

/// A primary and a standby that follows it synchronously.
class replicated_pair
{
public:
    replicated_pair()
    {
        const std::string programs = dev::find_installation("").initdb;
        const std::string backup =
            programs.substr(0, programs.size() - std::string_view{"initdb"}.size()) +
            "pg_basebackup";
        const std::string data = directory_.path() + "/data";
        const std::string command =
            backup + " --no-sync --checkpoint=fast -D " + data + " -d '" + primary.dsn() + "'";
        REQUIRE(std::system(command.c_str()) == 0);
        std::ofstream{data + "/standby.signal"};
        if (const auto user = dev::find_server_user())
            REQUIRE(std::system(("chown -R " + user->name + " " + data).c_str()) == 0);
        standby.emplace(
            dev::server_options{}.data_directory(data).setting("primary_conninfo", primary.dsn()));
    }

    /// The one that can be written to, wherever it stands; the standby is tried first.
    std::string dsn() const
    {
        return both(standby->directory(), primary.directory()) + " target_session_attrs=read-write";
    }

    static std::string both(const std::string& first, const std::string& second)
    {
        return "host=" + first + "," + second + " port=5432 user=postgres dbname=postgres";
    }

private:
    test::temporary_directory directory_; // outlives the standby

public:
    dev::server primary{dev::server_options{}.setting("synchronous_standby_names", "*")};
    std::optional<dev::server> standby;
};

asio::awaitable<std::string> socket_directory(std::string dsn)
{
    pg::connection c = co_await pg::connection::connect(pg::connection_options{dsn});
    const pg::statement where{"show unix_socket_directories"};
    const pg::result r = co_await c.execute(where);
    co_return r.get<std::string>(0, 0);
}

} // namespace

TEST_CASE("pool and listener follow the primary to a standby that is promoted, nothing lost, "
          "nothing twice")
{
    replicated_pair pair;
    asio::io_context io{1};
    const pg::connection_options either{pair.dsn()};
    traffic t{
        io, either, pg::pool_options{either}.size(4).acquire_timeout(1s),
        pg::listener_options{either}};
    test::run(io, [&]() -> asio::awaitable<void> {
        t.start(4);
        co_await t.go_on(50);
        pair.primary.stop(dev::stop_mode::immediate);
        const auto failed = [](const std::vector<pg::error>& failures) {
            return std::ranges::any_of(failures, [](const pg::error& e) {
                return e.code() == pg::errc::connect_failed &&
                       contains(e.what(), "session is read-only") &&
                       contains(e.what(), "No such file");
            });
        };
        co_await test::wait_until([&] { return failed(t.down) && failed(t.failures); });
        pg::connection control =
            co_await pg::connection::connect(pg::connection_options{pair.standby->dsn()});
        co_await control.execute(pg::statement{"select pg_promote()"});
        co_await t.go_on(50);
        co_await t.finish();

        // Whichever way round they are named, and though the first is down.
        const std::string reversed =
            replicated_pair::both(pair.primary.directory(), pair.standby->directory());
        const std::string found =
            co_await socket_directory(reversed + " target_session_attrs=read-write");
        CHECK(found == pair.standby->directory());
    });
    CHECK(t.gaps >= 2);
}

TEST_CASE("neither a standby nor a silent host keeps a writer from the primary")
{
    replicated_pair pair;
    test::fake_server silent{[](auto& client) { test::fake_server::listen_until_closed(client); }};
    const std::string port =
        std::to_string(std::stoi(silent.dsn().substr(silent.dsn().find("port=") + 5)));
    pg::connection_options options{
        "host=127.0.0.1," + pair.standby->directory() + "," + pair.primary.directory() +
        " port=" + port +
        ",5432,5432 user=postgres dbname=postgres gssencmode=disable sslmode=disable "
        "target_session_attrs=read-write"};
    options.connect_timeout(15s);
    test::run([&]() -> asio::awaitable<void> {
        const auto begun = std::chrono::steady_clock::now();
        pg::connection c = co_await pg::connection::connect(options);
        CHECK(std::chrono::steady_clock::now() - begun < 10s); // a third for the silent one
        const pg::result r = co_await c.execute(pg::statement{"select pg_is_in_recovery()"});
        CHECK(!r.get<bool>(0, 0));

        pair.primary.stop();
        const pg::error e = co_await test::failure_of(pg::connection::connect(options));
        CHECK(e.code() == pg::errc::connect_failed);
        CHECK(contains(e.what(), "at \"127.0.0.1\", port " + port));
        CHECK(contains(e.what(), "did not answer"));
        CHECK(contains(e.what(), "session is read-only"));
        CHECK(contains(e.what(), pair.primary.directory()));
    });
}

TEST_CASE("a connection that finds itself on a standby is not kept")
{
    replicated_pair pair;
    asio::io_context io{1};
    pg::pool pool{io.get_executor(), pg::pool_options{pg::connection_options{pair.standby->dsn()}}};
    test::run(io, [&]() -> asio::awaitable<void> {
        const pg::error e =
            co_await test::failure_of(pool.execute(pg::statement{"create table of_mine ()"}));
        CHECK(e.code() == pg::errc::server_error);
        CHECK(e.sqlstate() == "25006");
        CHECK(pool.size() == 0);
    });
}
