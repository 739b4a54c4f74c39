// The command against a real database.
#include "command.hpp"
#include "run.hpp"
#include "server.hpp"

#include <perdure/client/client.hpp>
#include <perdure/worker/worker.hpp>
#include <perdure/workflow/definitions.hpp>
#include <perdure/workflow/history.hpp>

#include <boost/json/parse.hpp>
#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <sstream>

namespace asio = boost::asio;
namespace json = boost::json;
namespace test = perdure::test;

namespace {

inline constexpr perdure::workflow<"greet", std::string(std::string)> greet;
inline constexpr perdure::signal<"name", std::string> name_signal;
inline constexpr perdure::workflow<"unknown", void()> unknown;

perdure::task<std::string> run_greet(perdure::context ctx, std::string greeting)
{
    std::string name = co_await ctx.receive(name_signal);
    co_return greeting + " " + name;
}

/// An installation of its own, and how the command is told about it.
struct installation
{
    installation() : dsn{test_dsn()}, schema{unique_schema()}
    {
        const command_result migrated = call({"migrate"});
        REQUIRE(migrated.err == "");
        REQUIRE(migrated.status == 0);
    }

    command_result call(std::vector<std::string> arguments) const
    {
        arguments.insert(arguments.end(), {"--dsn", dsn, "--schema", schema});
        return run_command(std::move(arguments));
    }

    perdure::engine_options options() const
    {
        perdure::engine_options options;
        options.schema(schema).log({});
        return options;
    }

    std::string dsn;
    std::string schema;
};

/// Starts an instance of a workflow that nobody runs yet.
template <class Call>
void start(const installation& where, Call call)
{
    asio::io_context io{1};
    perdure::engine engine{io, where.dsn, where.options()};
    perdure::client client{engine};
    const auto begin = [](perdure::client on, Call what) -> asio::awaitable<void> {
        co_await on.start(std::move(what));
    };
    test::run(io, begin(client, std::move(call)));
}

std::vector<std::string> lines(const std::string& text)
{
    std::vector<std::string> all;
    std::istringstream stream{text};
    for (std::string line; std::getline(stream, line);) all.push_back(line);
    return all;
}

bool contains(const std::string& text, std::string_view part)
{
    return text.find(part) != std::string::npos;
}

/// One sentence on standard error, nothing on standard output.
void check_failed(const command_result& result, int status, std::string_view part)
{
    CHECK(result.status == status);
    CHECK(result.out == "");
    CHECK(result.err.starts_with("perdure: "));
    CHECK(lines(result.err).size() == 1);
    INFO(result.err);
    CHECK(contains(result.err, part));
}

} // namespace

TEST_CASE("migrate makes the schema, and says what it applied")
{
    const std::string schema = unique_schema();
    const std::vector<std::string> where{"--dsn", test_dsn(), "--schema", schema};
    const auto call = [&](std::vector<std::string> arguments) {
        arguments.insert(arguments.end(), where.begin(), where.end());
        return run_command(std::move(arguments));
    };

    CHECK(contains(call({"migrate", "--status"}).out, "pending  0001_"));

    const command_result first = call({"migrate"});
    CHECK(first.status == 0);
    CHECK(first.out.starts_with("applied 0001_tables\napplied 0002_triggers\n"));

    const command_result again = call({"migrate"});
    CHECK(again.status == 0);
    CHECK(again.out == "schema " + schema + " is up to date\n");

    const command_result status = call({"migrate", "--status"});
    CHECK(status.out.starts_with("applied  0001_tables"));
    CHECK_FALSE(contains(status.out, "pending"));
}

TEST_CASE("migrate --down-to takes back what is above, newest first")
{
    const installation here;
    const command_result down = here.call({"migrate", "--down-to", "0"});
    CHECK(down.status == 0);
    CHECK(lines(down.out).front().starts_with("took back 0003_cancellation"));
    CHECK(lines(down.out).back() == "took back 0001_tables");
    check_failed(here.call({"list"}), 1, "perdure migrate");
}

TEST_CASE("a schema that was not migrated is one sentence that says what to do")
{
    const std::string schema = unique_schema();
    check_failed(run_command({"list", "--dsn", test_dsn(), "--schema", schema}), 1, schema);
    check_failed(
        run_command({"show", "x", "--dsn", test_dsn(), "--schema", schema}), 1, "perdure migrate");
    check_failed(
        run_command({"signal", "x", "y", "1", "--dsn", test_dsn(), "--schema", schema}), 1,
        "perdure migrate");
}

TEST_CASE("a server that cannot be reached and a wrong connection string are one sentence each")
{
    check_failed(run_command({"list", "--dsn", "host=/nowhere dbname=shop"}), 1, "/nowhere");
    check_failed(run_command({"migrate", "--dsn", "host=/nowhere dbname=shop"}), 1, "/nowhere");
    check_failed(run_command({"list", "--dsn", "nonsense=1"}), 1, "nonsense");
}

TEST_CASE("wrong usage exits with status 2 and one sentence")
{
    check_failed(run_command({}), 2, "--help");
    check_failed(run_command({"show"}), 2, "id");
    check_failed(run_command({"list", "--state", "sleeping"}), 2, "sleeping");
    check_failed(run_command({"list", "--limit", "0"}), 2, "limit");
    check_failed(run_command({"polish"}), 2, "polish");
    CHECK(run_command({"--help"}).status == 0);
    CHECK(contains(run_command({"list", "--help"}).out, "--workflow"));
}

TEST_CASE("list shows instances newest first, and filters them")
{
    const installation here;
    start(here, greet(std::string{"hello"}).id("one").queue("north"));
    start(here, greet(std::string{"hello"}).id("two").queue("south"));
    start(here, unknown().id("three").queue("north"));

    const std::vector<std::string> all = lines(here.call({"list"}).out);
    REQUIRE(all.size() == 4);
    CHECK(all[0].starts_with("ID"));
    CHECK(all[1].starts_with("three"));
    CHECK(all[2].starts_with("two"));
    CHECK(all[3].starts_with("one"));
    CHECK(contains(all[3], "running"));

    CHECK(lines(here.call({"list", "--limit", "2"}).out).size() == 3);
    CHECK(lines(here.call({"list", "--queue", "north"}).out).size() == 3);
    CHECK(lines(here.call({"list", "--workflow", "greet", "--queue", "north"}).out).size() == 2);
    CHECK(lines(here.call({"list", "--state", "completed"}).out).size() == 1);
    CHECK(lines(here.call({"list", "--state", "running"}).out).size() == 4);

    const std::vector<std::string> objects = lines(here.call({"list", "--json"}).out);
    REQUIRE(objects.size() == 3);
    const json::value newest = json::parse(objects.front());
    CHECK(newest.at("id").as_string() == "three");
    CHECK(newest.at("workflow").as_string() == "unknown");
    CHECK(newest.at("queue").as_string() == "north");
    CHECK(newest.at("state").as_string() == "running");
    CHECK(newest.at("problem").is_null());
    CHECK(newest.at("finished_at").is_null());
}

TEST_CASE("a signal from the command is received, and show tells the story")
{
    const installation here;
    asio::io_context io{1};
    perdure::engine engine{io, here.dsn, here.options()};
    perdure::worker worker{engine};
    worker.implement(greet, run_greet);
    asio::co_spawn(io, worker.run(), [](std::exception_ptr failure) {
        if (failure) std::rethrow_exception(failure);
    });
    perdure::client client{engine};
    const auto begin = [](perdure::client on) -> asio::awaitable<void> {
        co_await on.start(greet(std::string{"hello"}).id("greeting"));
    };
    test::run(io, begin(client));

    const command_result sent = here.call({"signal", "greeting", "name", "\"Ada\\nL\""});
    CHECK(sent.err == "");
    CHECK(sent.status == 0);
    CHECK(sent.out == "signal name delivered to greeting\n");
    const auto end = [](perdure::client on) -> asio::awaitable<std::string> {
        co_return co_await on.get(greet, "greeting").result();
    };
    CHECK(test::run(io, end(client)) == "hello Ada\nL");
    worker.drain();

    const command_result shown = here.call({"show", "greeting"});
    CHECK(shown.err == "");
    const std::vector<std::string> told = lines(shown.out);
    CHECK(std::count(told.begin(), told.end(), "id        greeting") == 1);
    CHECK(std::count(told.begin(), told.end(), "state     completed") == 1);
    CHECK(contains(shown.out, "workflow_started greet  [\"hello\"]"));
    CHECK(contains(shown.out, "signal_received name  \"Ada\\nL\""));
    CHECK(contains(told.back(), "workflow_completed"));
    check_failed(here.call({"signal", "greeting", "name", "\"late\""}), 1, "no active instance");
}

TEST_CASE("show prints the history document")
{
    const installation here;
    start(here, greet(std::string{"hello"}).id("one"));
    const command_result shown = here.call({"show", "one", "--json"});
    REQUIRE(shown.status == 0);
    CHECK(perdure::decode_history(shown.out).events.size() == 1);
    const json::value document = json::parse(shown.out);
    CHECK(document.at("id").as_string() == "one");
    CHECK(document.at("events").as_array().at(0).at("type").as_string() == "workflow_started");
}

TEST_CASE("what does not exist, and what is no signal, is one sentence each")
{
    const installation here;
    start(here, greet(std::string{"hello"}).id("one"));
    check_failed(here.call({"show", "nobody"}), 1, "nobody");
    check_failed(here.call({"show", "one", "--run", "7"}), 1, "run 7");
    check_failed(here.call({"signal", "nobody", "name", "1"}), 1, "nobody");
    check_failed(here.call({"signal", "one", "name", "not json"}), 1, "signal name");
    check_failed(here.call({"signal", "one", "na me", "1"}), 1, "na me");
    CHECK(here.call({"signal", "one", "name", "-5"}).status == 0);
    CHECK(here.call({"signal", "one", "name", "[1,{\"a\":2}]"}).status == 0);
}
