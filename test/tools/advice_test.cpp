// What the command says to somebody who got it wrong.
#include "command.hpp"
#include "run.hpp"
#include "server.hpp"

#include <perdure/client/client.hpp>
#include <perdure/workflow/definitions.hpp>

#include <doctest/doctest.h>

#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace asio = boost::asio;
namespace test = perdure::test;

namespace {

inline constexpr perdure::workflow<"waits", void()> waits;

using words = std::vector<std::string>;

bool contains(const std::string& text, std::string_view part)
{
    return text.find(part) != std::string::npos;
}

/// What is on standard error, without the command's name.
std::string complaint(words arguments, int status)
{
    const command_result result = run_command(std::move(arguments));
    CHECK(result.status == status);
    CHECK(result.out == "");
    REQUIRE(result.err.starts_with("perdure: "));
    return result.err.substr(9, result.err.size() - 10);
}

/// Starts an instance that no worker begins.
void start_one(const std::string& schema)
{
    asio::io_context io{1};
    perdure::engine_options options;
    options.schema(schema).log({});
    perdure::engine engine{io, test_dsn(), std::move(options)};
    const auto begin = [](perdure::client on) -> asio::awaitable<void> {
        co_await on.start(waits().id("one"));
    };
    test::run(io, begin(perdure::client{engine}));
}

} // namespace

TEST_CASE("an option that is no number in range is refused with what was expected and found")
{
    CHECK(
        complaint({"show", "x", "--after", "-1"}, 2) ==
        "--after: expected a number from 0, found \"-1\"; see perdure show --help");
    CHECK(
        complaint({"migrate", "--down-to", "x"}, 2) ==
        "--down-to: expected a number from 0, found \"x\"; see perdure migrate --help");
    CHECK(
        complaint({"list", "--limit", "0"}, 2) ==
        "--limit: expected a number from 1 to 100000, found \"0\"; see perdure list --help");
    CHECK(contains(complaint({"show", "x", "--run", "0"}, 2), "a number from 1, found \"0\""));
    CHECK(contains(complaint({"show", "x", "--after", "9999999999"}, 2), "from 0 to 2147483647"));
    CHECK(contains(complaint({"show", "x", "--after", "1x"}, 2), "found \"1x\""));
}

TEST_CASE("advice to migrate repeats where to look, quoted for a shell, and no password")
{
    const std::string dsn = test_dsn();
    const std::string schema = unique_schema() + " it's";
    const std::string quoted = schema.substr(0, schema.size() - 5) + " it'\\''s";
    CHECK(contains(
        complaint({"list", "--dsn", dsn, "--schema", schema}, 1),
        "run `perdure migrate --dsn '" + dsn + "' --schema '" + quoted + "'`"));
    const words secret{"list", "--dsn", dsn + " password=tiger", "--schema", schema};
    const std::string told = complaint(secret, 1);
    CHECK(contains(told, "run `perdure migrate --dsn … --schema '"));
    CHECK_FALSE(contains(told, "tiger"));
}

TEST_CASE("without a connection string and a server, the command says how to name one")
{
    const char* const advice = "name a database with --dsn or PERDURE_DSN";
    const std::string given = complaint({"list", "--dsn", "host=/nowhere"}, 1);
    CHECK(contains(given, "failed: No such file or directory. Is the server running"));
    CHECK_FALSE(contains(given, advice));
    ::setenv("PGHOST", "/nowhere", 1);
    const std::string none = complaint({"list"}, 1);
    ::unsetenv("PGHOST");
    CHECK(none.ends_with(advice));
}

TEST_CASE("a command's page tells which installation it is about, and help prints it")
{
    const std::string page = run_command({"list", "--help"}).out;
    CHECK(contains(page, "--dsn"));
    CHECK(contains(page, "--schema"));
    CHECK(run_command({"help", "list"}).out == page);
    CHECK(run_command({"help"}).out == run_command({"--help"}).out);
    CHECK(contains(complaint({"help", "polish"}, 2), "unknown command \"polish\""));
    CHECK(contains(complaint({"show"}, 2), "see perdure show --help"));
}

TEST_CASE("options that are empty, unknown or repeated are refused by name")
{
    CHECK(
        contains(complaint({"list", "--schema", ""}, 2), "--schema: expected a name, found \"\""));
    CHECK(contains(
        complaint({"list", "--state", "a", "--state", "b"}, 2),
        "--state: expected one of running, completed, failed, cancelled, found \"a\""));
    CHECK(contains(
        complaint({"list", "--state", "failed", "--state", "running"}, 2),
        "--state: may be given once"));
}

TEST_CASE("a signal's value that is not JSON is told so, and quotes are offered to a bare word")
{
    const std::string broken = complaint({"signal", "x", "approve", "{bad"}, 1);
    CHECK(broken.starts_with("the value of signal approve is not JSON (at byte "));
    CHECK_FALSE(contains(broken, "quotes"));
    CHECK(contains(complaint({"signal", "x", "approve", ""}, 1), "is not JSON (nothing)"));
    CHECK(complaint({"signal", "x", "approve", "Ada"}, 1)
              .ends_with("; a text needs its quotes: '\"Ada\"'"));
}

TEST_CASE("show counts what no worker has looked at yet")
{
    const std::string schema = unique_schema();
    const auto call = [&](words arguments) {
        arguments.insert(arguments.end(), {"--dsn", test_dsn(), "--schema", schema});
        return run_command(std::move(arguments));
    };
    REQUIRE(call({"migrate"}).status == 0);
    start_one(schema);
    REQUIRE(call({"cancel", "one"}).status == 0);
    CHECK(contains(call({"show", "one"}).out, "pending   1 event that no worker"));
    REQUIRE(call({"signal", "one", "name"}).status == 0);
    CHECK(contains(call({"show", "one"}).out, "pending   2 events that no worker"));
}

TEST_CASE("migrate --down-to refuses while instances are active, unless it is forced")
{
    const std::string schema = unique_schema();
    const words where{"--dsn", test_dsn(), "--schema", schema};
    const auto with = [&](words arguments) {
        arguments.insert(arguments.end(), where.begin(), where.end());
        return arguments;
    };
    REQUIRE(run_command(with({"migrate"})).status == 0);
    start_one(schema);
    CHECK(complaint(with({"migrate", "--down-to", "0"}), 1).starts_with("1 instance is active"));
    CHECK(run_command(with({"list", "--json"})).out.starts_with("{"));
    CHECK(run_command(with({"migrate", "--down-to", "99"})).status == 0);
    const command_result forced = run_command(with({"migrate", "--down-to", "0", "--force"}));
    CHECK(forced.status == 0);
    CHECK(contains(forced.out, "took back 0001_tables"));
    CHECK(contains(complaint(with({"migrate", "--force"}), 2), "--down-to"));
}
