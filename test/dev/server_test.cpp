#include "dev/query.hpp"
#include "server.hpp"
#include "temporary_directory.hpp"

#include <perdure/dev/error.hpp>
#include <perdure/dev/server.hpp>

#include <doctest/doctest.h>

#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <string>

namespace dev = perdure::dev;
namespace fs = std::filesystem;

namespace {

/// The error that `action` throws: its code and its sentence.
template <class Action>
std::pair<boost::system::error_code, std::string> error_of(Action action)
{
    try {
        action();
    } catch (const dev::error& error) {
        return {error.code(), error.what()};
    }
    return {};
}

bool contains(const std::string& text, std::string_view part)
{
    return text.find(part) != std::string::npos;
}

} // namespace

TEST_CASE("a private server answers, on a Unix socket only")
{
    CHECK(query(test_server().dsn(), "select 40 + 2") == "42");
    CHECK(query(test_server().dsn(), "show listen_addresses") == "");
    CHECK(::kill(test_server().pid(), 0) == 0);
}

TEST_CASE("a private server is durable and takes 300 connections")
{
    const std::string dsn = test_server().dsn();
    CHECK(query(dsn, "show fsync") == "on");
    CHECK(query(dsn, "show synchronous_commit") == "on");
    CHECK(query(dsn, "show full_page_writes") == "on");
    CHECK(query(dsn, "show max_connections") == "300");
}

TEST_CASE("a client that came last and says nothing does not hold up a stop for a minute")
{
    dev::server own{dev::server_options{}.patience(std::chrono::seconds{20})};
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    (own.directory() + "/.s.PGSQL.5432").copy(address.sun_path, sizeof address.sun_path - 1);
    const int silent = ::socket(AF_UNIX, SOCK_STREAM, 0);
    ::kill(own.pid(), SIGSTOP); // so that it accepts the client when it is to stop already
    REQUIRE(::connect(silent, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    ::kill(own.pid(), SIGINT);
    ::kill(own.pid(), SIGCONT);
    CHECK_NOTHROW(own.stop(dev::stop_mode::fast));
    ::close(silent);
}

TEST_CASE("a private server's directory is closed to other users")
{
    const fs::perms all = fs::status(test_server().directory()).permissions();
    CHECK((all & (fs::perms::group_all | fs::perms::others_all)) == fs::perms::none);
}

TEST_CASE("statements can be counted with pg_stat_statements")
{
    const std::string dsn = test_server().create_database("counted");
    REQUIRE(query(dsn, "create extension pg_stat_statements") == "");
    CHECK(query(dsn, "select count(*) > 0 from pg_stat_statements") == "t");
}

TEST_CASE("create_database makes an empty database of any name")
{
    const std::string name = R"(it's "odd" \ here)";
    const std::string dsn = test_server().create_database(name);
    CHECK(query(dsn, "select current_database()") == name);
    CHECK(query(dsn, "select count(*) from pg_tables where schemaname = 'public'") == "0");
}

TEST_CASE("create_database refuses a name that is taken, in the server's words")
{
    test_server().create_database("taken");
    const auto [code, sentence] = error_of([] { test_server().create_database("taken"); });
    CHECK(code == dev::errc::statement_failed);
    CHECK(contains(sentence, "database \"taken\" already exists"));
}

TEST_CASE("a server that was stopped starts again with its data, at the same dsn")
{
    for (const dev::stop_mode mode : {dev::stop_mode::fast, dev::stop_mode::immediate}) {
        CAPTURE(static_cast<int>(mode));
        dev::server server;
        const std::string dsn = server.dsn();
        const pid_t first = server.pid();
        REQUIRE(query(dsn, "create table kept as select 7 as value") == "");
        server.stop(mode);
        CHECK(server.pid() == 0);
        CHECK(::kill(first, 0) != 0);
        CHECK(contains(query(dsn, "select 1"), "connection to server"));
        server.stop(mode); // nothing to do
        server.start();
        CHECK(server.dsn() == dsn);
        CHECK(server.pid() != first);
        CHECK(query(dsn, "select value from kept") == "7");
        const pid_t second = server.pid();
        server.start(); // nothing to do
        CHECK(server.pid() == second);
    }
}

TEST_CASE("a server that crashed is started again")
{
    dev::server server;
    const pid_t first = server.pid();
    REQUIRE(::kill(first, SIGKILL) == 0);
    server.stop(dev::stop_mode::fast); // waits until it is gone
    REQUIRE(server.pid() == 0);
    server.start();
    CHECK(query(server.dsn(), "select 1") == "1");
}

TEST_CASE("a named data directory is kept, and set up once")
{
    const perdure::test::temporary_directory parent;
    const std::string data = parent.path() + "/data";
    std::string temporary;
    {
        dev::server first{dev::server_options{}.data_directory(data)};
        temporary = first.directory();
        REQUIRE(query(first.dsn(), "create table kept as select 7 as value") == "");
    }
    CHECK_FALSE(fs::exists(temporary));
    dev::server second{dev::server_options{}.data_directory(data)};
    CHECK(query(second.dsn(), "select value from kept") == "7");
}

TEST_CASE("a data directory that holds something else is refused by name and left alone")
{
    const perdure::test::temporary_directory parent;
    const std::string data = parent.path() + "/data";
    fs::create_directory(data);
    fs::create_directory(data + "/precious");
    const auto [code, sentence] =
        error_of([&] { dev::server{dev::server_options{}.data_directory(data)}; });
    CHECK(code == dev::errc::initialization_failed);
    CHECK(contains(sentence, data));
    CHECK(fs::exists(data + "/precious"));
}

TEST_CASE("settings reach the server, and a wrong one is told in the server's words")
{
    dev::server server{dev::server_options{}.setting("work_mem", "7MB")};
    CHECK(query(server.dsn(), "show work_mem") == "7MB");

    const auto [code, sentence] =
        error_of([] { dev::server{dev::server_options{}.setting("no_such_thing", "1")}; });
    CHECK(code == dev::errc::start_failed);
    CHECK(contains(sentence, "unrecognized configuration parameter \"no_such_thing\""));
}

TEST_CASE("missing server programs are an error that says what to install")
{
    const auto [code, sentence] =
        error_of([] { dev::server{dev::server_options{}.binary_directory("/nowhere")}; });
    CHECK(code == dev::errc::not_installed);
    CHECK(contains(sentence, "\"/nowhere\""));
    CHECK(contains(sentence, "initdb"));
}

TEST_CASE("every schema name is new")
{
    CHECK(unique_schema() != unique_schema());
}
