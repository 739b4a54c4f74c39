// The command against a real database.
#include "command.hpp"
#include "pooling_proxy.hpp"
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
#include <stdexcept>

namespace asio = boost::asio;
namespace json = boost::json;
namespace test = perdure::test;

namespace {

inline constexpr perdure::workflow<"greet", std::string(std::string)> greet;
inline constexpr perdure::signal<"name", std::string> name_signal;
inline constexpr perdure::workflow<"unknown", void()> unknown;
inline constexpr perdure::workflow<"naps", void()> naps;
inline constexpr perdure::activity<"snore", void()> snore;

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
    CHECK(lines(down.out).front().starts_with("took back 0008_holders"));
    CHECK(lines(down.out).back() == "took back 0001_tables");
    check_failed(here.call({"list"}), 1, "perdure migrate");
}

TEST_CASE("the command works through a proxy that pools transactions, again and again")
{
    const perdure::test::pooling_proxy proxy;
    installation where;
    start(where, greet("Hello").id("one"));
    where.dsn = proxy.dsn();
    for (int i = 0; i != 3; ++i) {
        using words = std::vector<std::string>;
        for (const words& each :
             {words{"list"}, words{"stats"}, words{"show", "one"}, words{"cancel", "one"}}) {
            const command_result result = where.call(each);
            CHECK(result.err == "");
            CHECK(result.status == 0);
        }
    }
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
    for (const std::vector<std::string>& command : std::vector<std::vector<std::string>>{
             {"list"},
             {"show", "x"},
             {"signal", "x", "y"},
             {"cancel", "x"},
             {"remove", "x"},
             {"stats"}}) {
        std::vector<std::string> arguments = command;
        arguments.insert(arguments.end(), {"--dsn", "host=/nowhere dbname=shop"});
        check_failed(run_command(std::move(arguments)), 1, "/nowhere");
    }
    check_failed(run_command({"migrate", "--dsn", "host=/nowhere dbname=shop"}), 1, "/nowhere");
    check_failed(run_command({"list", "--dsn", "nonsense=1"}), 1, "nonsense");
}

TEST_CASE("wrong usage exits with status 2 and one sentence")
{
    check_failed(run_command({}), 2, "--help");
    check_failed(run_command({"show"}), 2, "id");
    check_failed(run_command({"list", "--state", "sleeping"}), 2, "sleeping");
    check_failed(run_command({"list", "--limit", "0"}), 2, "limit");
    check_failed(run_command({"polish"}), 2, "unknown command \"polish\"");
    check_failed(run_command({"--polish"}), 2, "unknown option \"--polish\"");
    check_failed(run_command({"list", "--polish"}), 2, "--polish");
    check_failed(run_command({"cancel"}), 2, "id");
    check_failed(run_command({"remove"}), 2, "id");
    check_failed(run_command({"stats", "now"}), 2, "now");
    check_failed(run_command({"show", "x", "--limit", "0"}), 2, "limit");
    check_failed(run_command({"show", "x", "--after", "-1"}), 2, "after");
    check_failed(run_command({"show", "x", "--limit", "many"}), 2, "many");
    check_failed(run_command({"show", "x", "--json", "--limit", "5"}), 2, "--json");
    CHECK(run_command({"--help"}).status == 0);
    CHECK(contains(run_command({"list", "--help"}).out, "--workflow"));
}

TEST_CASE("output that cannot be written is an error, whatever was to be printed")
{
    const installation on;
    start(on, greet("hello").id("full"));
    const std::vector<std::vector<std::string>> all{
        {"show", "--json", "full", "--dsn", on.dsn, "--schema", on.schema},
        {"help"},
        {"--help"},
        {"show", "--help"},
        {"--version"}};
    for (const std::vector<std::string>& each : all) {
        CAPTURE(each.front());
        const command_result lost = run_command(each, "/dev/full");
        CHECK(lost.status == 1);
        CHECK(lost.err == "perdure: cannot write the output\n");
    }
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
    CHECK(newest.at("failure").is_null());
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

TEST_CASE("what does not exist, or cannot be an id, can be neither cancelled nor removed")
{
    const installation here;
    for (const char* command : {"cancel", "remove", "show"}) {
        CAPTURE(command);
        check_failed(here.call({command, "nobody"}), 1, "nobody");
        check_failed(here.call({command, ""}), 1, "id");
        check_failed(here.call({command, std::string(300, 'x')}), 1, "255");
        const command_result huge = here.call({command, std::string(100'000, 'x')});
        check_failed(huge, 1, "255");
        CHECK(huge.err.size() < 1000); // it is not said back in full
        check_failed(here.call({command, "\xff\xfe"}), 1, "UTF-8");
    }
}

TEST_CASE("cancel ends an instance, remove takes what is finished, and stats counts")
{
    const installation here;
    start(here, greet(std::string{"hello"}).id("one"));
    start(here, greet(std::string{"hello"}).id("two").queue("south"));

    const std::vector<std::string> counted = lines(here.call({"stats"}).out);
    REQUIRE(counted.size() == 5);
    CHECK(counted[0] == "active instances  2");
    CHECK(counted[1].empty());
    CHECK(counted[2] == "QUEUE    WORKFLOWS  ACTIVITIES");
    CHECK(counted[3] == "default  1          0");
    CHECK(counted[4] == "south    1          0");
    const json::value object = json::parse(here.call({"stats", "--json"}).out);
    CHECK(object.at("active_instances").as_int64() == 2);
    CHECK(object.at("queues").as_array().size() == 2);
    CHECK(object.at("queues").at(1).at("queue").as_string() == "south");
    CHECK(object.at("queues").at(1).at("workflow_tasks").as_int64() == 1);
    CHECK(object.at("queues").at(1).at("activity_tasks").as_int64() == 0);

    check_failed(
        here.call({"remove", "one"}), 1,
        "still active: cancel it first, and let a worker that has its code carry that out");
    const command_result asked = here.call({"cancel", "one"});
    CHECK(asked.err == "");
    CHECK(asked.out == "asked one to end\n");
    CHECK(asked.status == 0);

    asio::io_context io{1};
    perdure::engine engine{io, here.dsn, here.options()};
    perdure::worker worker{engine};
    worker.implement(greet, run_greet);
    asio::co_spawn(io, worker.run(), [](std::exception_ptr) {});
    perdure::client client{engine};
    const auto end = [](perdure::client on) -> asio::awaitable<void> {
        try {
            co_await on.get(greet, "one").result();
        } catch (const perdure::cancelled&) { // as it should be
        }
    };
    test::run(io, end(client));
    worker.drain();

    CHECK(lines(here.call({"list", "--state", "cancelled"}).out).size() == 2);
    const command_result shown = here.call({"show", "one"});
    CHECK(contains(shown.out, "state     cancelled"));
    CHECK(contains(shown.out, "cancel_requested"));
    CHECK(contains(shown.out, "workflow_cancelled"));
    CHECK(!contains(shown.out, "failure ")); // it has not failed

    const command_result removed = here.call({"remove", "one", "two"});
    CHECK(removed.out == "removed one\n"); // what was done is known
    CHECK(removed.status == 1);
    CHECK(contains(removed.err, "\"two\" is still active"));
    check_failed(here.call({"show", "one"}), 1, "one");
}

TEST_CASE(
    "show tells what an instance waits for, and shows the part of the history it is asked for")
{
    const installation here;
    start(here, greet(std::string{"hello"}).id("one"));
    CHECK(contains(
        here.call({"show", "one"}).out, "waits for a worker on queue default that begins it"));

    asio::io_context io{1};
    perdure::engine engine{io, here.dsn, here.options()};
    perdure::worker worker{engine};
    worker.implement(greet, run_greet);
    worker.implement(naps, [](perdure::context ctx) -> perdure::task<void> {
        for (int i = 0; i < 5; ++i) co_await ctx.sleep(std::chrono::milliseconds{1});
        auto unserved = ctx.start(snore());
        co_await ctx.sleep(std::chrono::hours{1});
        co_await unserved;
    });
    asio::co_spawn(io, worker.run(), [](std::exception_ptr) {});
    perdure::client client{engine};
    const auto nap = [](perdure::client on) -> asio::awaitable<void> {
        const auto napping = co_await on.start(naps().id("napping"));
        const auto greeting = on.get(greet, "one");
        for (;;) {
            const auto state = co_await napping.state();
            const auto other = co_await greeting.state();
            if (state.history_length == 19 && other.history_length == 2) co_return;
            co_await test::pause(std::chrono::milliseconds{1});
        }
    };
    test::run(io, nap(client));
    worker.drain();

    CHECK(contains(here.call({"show", "one"}).out, "waits for a signal\n"));
    const std::string whole = here.call({"show", "napping"}).out;
    CHECK(contains(whole, "waits for activity #6 snore\n"));
    CHECK(contains(whole, "waits for timer #7 due 20"));
    CHECK(contains(whole, "\n 1  "));
    CHECK(contains(whole, "\n19  "));

    const std::string last = here.call({"show", "napping", "--limit", "2"}).out;
    CHECK(contains(last, "(17 events before these: show --after 0)\n18  "));
    CHECK(lines(last).back().starts_with("19  "));
    const std::string middle = here.call({"show", "napping", "--after", "3", "--limit", "2"}).out;
    CHECK(lines(middle).back().starts_with("5  "));
    CHECK_FALSE(contains(middle, "\n3  "));
    CHECK_FALSE(contains(middle, "\n6  "));
    CHECK(contains(here.call({"show", "napping", "--after", "50"}).out, "no events after"));
    const command_result document = here.call({"show", "napping", "--json"});
    CHECK(perdure::decode_history(document.out).events.size() == 19);
}

TEST_CASE("list says why an instance failed")
{
    const installation here;
    asio::io_context io{1};
    perdure::engine engine{io, here.dsn, here.options()};
    perdure::worker worker{engine};
    worker.implement(unknown, [](perdure::context) -> perdure::task<void> {
        throw std::out_of_range{"no such thing"};
        co_return;
    });
    asio::co_spawn(io, worker.run(), [](std::exception_ptr) {});
    perdure::client client{engine};
    const auto fail = [](perdure::client on) -> asio::awaitable<void> {
        try {
            const auto started = co_await on.start(unknown().id("three"));
            co_await started.result();
        } catch (const perdure::workflow_failed&) { // as it should be
        }
    };
    test::run(io, fail(client));
    worker.drain();
    const std::vector<std::string> listed = lines(here.call({"list", "--state", "failed"}).out);
    REQUIRE(listed.size() == 2);
    CHECK(contains(listed[1], "no such thing"));
    const json::value object = json::parse(here.call({"list", "--json"}).out);
    CHECK(contains(std::string{object.at("failure").as_string()}, "no such thing"));
}
