// The functions for psql, triggers and other languages: what they accept, and what they leave.
#include "workbench.hpp"

#include <doctest/doctest.h>

using namespace perdure;
using namespace perdure::store;

namespace {

/// What a statement is refused with.
struct refusal
{
    std::string state;
    std::string words;
};

refusal refused(workbench& bench, std::string_view sql)
{
    try {
        bench.execute(sql);
    } catch (const pg::error& failure) {
        return {std::string{failure.sqlstate()}, failure.what()};
    }
    return {};
}

/// Whether a statement is refused with this state, in a sentence that holds these words.
bool refuses(
    workbench& bench, std::string_view sql, std::string_view state,
    std::initializer_list<std::string_view> words)
{
    const refusal said = refused(bench, sql);
    CAPTURE(sql);
    INFO(said.state << " " << said.words);
    bool all = said.state == state;
    for (const std::string_view each : words)
        all = all && said.words.find(each) != std::string::npos;
    CHECK(all);
    return all;
}

} // namespace

TEST_CASE("start creates what a client's start creates, and returns the id")
{
    const installation on;
    workbench bench{on};
    CHECK(
        bench.value<std::string>("select {schema}.start('w', '[1]', id => 'one', queue => 'q')") ==
        "one");
    bench.start("two");
    const workflow_task by_function = bench.claim_one();
    const workflow_task by_client = bench.claim_one();
    CHECK(by_function.id == "one");
    CHECK(by_function.workflow == "w");
    CHECK(by_function.history_length == 1);
    CHECK(by_function.history_bytes == by_client.history_bytes);
    CHECK(by_function.metadata == by_client.metadata);
    REQUIRE(by_function.history.size() == 1);
    CHECK(by_function.history[0].type == event_type::workflow_started);
    CHECK(by_function.history[0].name == by_client.history.at(0).name);
    CHECK(by_function.history[0].data == by_client.history.at(0).data);
    CHECK(bench.complete(workbench::finishing(by_function)).status == completion_status::confirmed);
}

TEST_CASE("start has defaults for all but the name")
{
    const installation on;
    workbench bench{on};
    const auto first = bench.value<std::string>("select {schema}.start('w')");
    const auto second = bench.value<std::string>("select {schema}.start('w', queue => null)");
    CHECK(first.size() == 36);
    CHECK(first != second);
    const auto tasks = bench.claim("default");
    REQUIRE(tasks.size() == 2);
    CHECK(tasks[0].history.at(0).data.text() == "[]");
}

TEST_CASE("start refuses what a client's start refuses, in a sentence, and writes nothing")
{
    const installation on;
    workbench bench{on};
    refuses(bench, "select {schema}.start('a b')", "22023", {"workflow \"a b\"", "1 to 100"});
    refuses(bench, "select {schema}.start('')", "22023", {"workflow \"\"", "1 to 100"});
    refuses(bench, "select {schema}.start(repeat('n', 101))", "22023", {"workflow", "..."});
    refuses(bench, "select {schema}.start(E'w\\n')", "22023", {"workflow \"w?\""});
    refuses(bench, "select {schema}.start(null)", "22004", {"the name of a workflow"});
    refuses(bench, "select {schema}.start('w', queue => 'ü')", "22023", {"queue \"?\""});
    refuses(bench, "select {schema}.start('w', id => '')", "22023", {"id must not be empty"});
    refuses(
        bench, "select {schema}.start('w', id => repeat('ü', 128))", "22023",
        {"256 bytes", "limit is 255"});
    refuses(
        bench, "select {schema}.start('w', id => E'a\\tb')", "22023",
        {"\"a?b\"", "control characters"});
    refuses(bench, "select {schema}.start('w', '{}')", "22023", {"workflow w", "object"});
    refuses(bench, "select {schema}.start('w', null)", "22023", {"workflow w", "null of SQL"});
    refuses(
        bench, "select {schema}.start('w', json_build_array(repeat('x', 2097152)))", "54000",
        {"workflow w", "limit of 2097152", "pass a reference"});
    refuses(bench, "select {schema}.start('w', at => 'infinity')", "22023", {"infinity", "10000"});
    refuses(
        bench, "select {schema}.start('w', at => '294276-01-01')", "22023", {"294276", "10000"});
    CHECK(bench.count("instances") == 0);
    CHECK(bench.count("workflow_tasks") == 0);
    bench.execute("select {schema}.start(repeat('n', 100), "
                  "('[\"' || repeat('x', 2097148) || '\"]')::json, id => repeat('i', 255))");
    CHECK(bench.count("instances") == 1);
}

TEST_CASE("start of an id that is active is a unique violation; when it has ended it is not")
{
    const installation on;
    workbench bench{on};
    bench.execute("select {schema}.start('w', id => 'one', queue => 'q')");
    refuses(
        bench, "select {schema}.start('w', id => 'one')", "23505", {"\"one\"", "give another id"});
    bench.complete(workbench::finishing(bench.claim_one()));
    bench.execute("select {schema}.start('w', id => 'one', queue => 'q')");
    CHECK(
        bench.wait(bench.store.create({workbench::request("one")})).at(0).status ==
        created::status::already_exists);
}

TEST_CASE("a start for later is not claimed before, whatever arrives, and then it is")
{
    const installation on;
    workbench bench{on};
    bench.execute("select {schema}.start('w', id => 'later', queue => 'q', at => now() + "
                  "interval '1 h')");
    bench.execute("select {schema}.start('w', id => 'past', queue => 'q', at => '2001-01-01')");
    CHECK(bench.claim_one().id == "past");
    const auto claimed = bench.wait(bench.store.claim_workflow_tasks(workbench::asking("q")));
    CHECK(claimed.tasks.empty());
    REQUIRE(claimed.next_due);
    CHECK(bench.signal("later") == signal_status::delivered);
    CHECK(bench.claim().empty());
    bench.execute("update {schema}.workflow_tasks set visible_at = now()");
    CHECK(bench.claim_one().arrived.size() == 1);
}

TEST_CASE("numbers and texts arrive as they were written")
{
    const installation on;
    workbench bench{on};
    const std::string arguments = "[ 9007199254740993,  0.1000, \"ü\", {\"b\":1, \"a\":2} ]";
    bench.execute("select {schema}.start('w', '" + arguments + "', 'one', 'q')");
    bench.execute("select {schema}.signal('one', 's', '9007199254740993')");
    bench.execute("select {schema}.signal('one', 's')");
    bench.execute("select {schema}.signal('one', 's', null)");
    bench.execute("select {schema}.signal('one', 's', to_json('x'::text))");
    for (const forwarded& each :
         bench.wait(bench.store.forward(bench.wait(bench.store.read_requests({}, 10, no_limit)))))
        CHECK(each.status == forwarding::delivered);
    const workflow_task task = bench.claim_one();
    CHECK(task.history.at(0).data.text() == arguments);
    REQUIRE(task.arrived.size() == 4);
    CHECK(task.arrived[0].event.data.text() == "9007199254740993");
    CHECK(task.arrived[1].event.data.text() == "null");
    CHECK(task.arrived[2].event.data.text() == "null");
    CHECK(task.arrived[3].event.data.text() == "\"x\"");
}

TEST_CASE("signal and cancel refuse what cannot be delivered, in a sentence")
{
    const installation on;
    workbench bench{on};
    bench.start_finished("ended");
    for (const char* const id : {"nobody", "ended"}) {
        const std::string quoted = "'" + std::string{id} + "'";
        refuses(
            bench, "select {schema}.signal(" + quoted + ", 's')", "P0002",
            {"no active instance", id});
        refuses(
            bench, "select {schema}.cancel(" + quoted + ")", "P0002", {"no active instance", id});
    }
    bench.start("one");
    refuses(bench, "select {schema}.signal('one', 'a b')", "22023", {"signal \"a b\""});
    refuses(bench, "select {schema}.signal('one', null)", "22004", {"the name of a signal"});
    refuses(bench, "select {schema}.signal(null, 's')", "22004", {"id must not be null"});
    refuses(bench, "select {schema}.cancel('')", "22023", {"id must not be empty"});
    refuses(
        bench, "select {schema}.signal('one', 's', to_json(repeat('x', 2097152)))", "54000",
        {"the value of signal s"});
    CHECK(bench.count("requests") == 0);
}

TEST_CASE("nothing of a transaction that is rolled back remains")
{
    const installation on;
    workbench bench{on};
    bench.start("one");
    bench.run([&]() -> asio::awaitable<void> {
        by_hand session = co_await by_hand::connect(on);
        co_await session("begin");
        co_await session("select {schema}.start('w', id => 'two')");
        co_await session("select {schema}.signal('two', 's')"); // it sees its own
        co_await session("select {schema}.signal('one', 's')");
        co_await session("select {schema}.cancel('one')");
        co_await session("rollback");
    });
    CHECK(bench.count("instances") == 1);
    CHECK(bench.count("history") == 1);
    CHECK(bench.count("workflow_tasks") == 1);
    CHECK(bench.count("requests") == 0);
}

TEST_CASE("a role that may only start and signal needs the grants of the manual, and no more")
{
    const installation on;
    workbench bench{on};
    const std::string role = pg::quote_identifier(on.schema() + "_shop");
    bench.run([&]() -> asio::awaitable<void> {
        by_hand session = co_await by_hand::connect(on);
        co_await session("create role " + role);
        for (const char* const grant :
             {"grant usage on schema {schema} to ",
              "grant insert on {schema}.instances, {schema}.history, {schema}.workflow_tasks, "
              "{schema}.requests to ",
              "grant select (k, id, ended) on {schema}.instances to "})
            co_await session(grant + role);
        co_await session("set role " + role);
        co_await session("select {schema}.start('w', '[\"secret\"]', 'one')");
        co_await session("select {schema}.signal('one', 's')");
        co_await session("select {schema}.cancel('one')");
        std::string state;
        try {
            co_await session("select data from {schema}.history");
        } catch (const pg::error& failure) {
            state = failure.sqlstate();
        }
        CHECK(state == "42501");
    });
    CHECK(bench.count("requests") == 2);
}

TEST_CASE("the functions do not look at the caller's search_path")
{
    const installation on;
    workbench bench{on};
    bench.run([&]() -> asio::awaitable<void> {
        by_hand session = co_await by_hand::connect(on);
        const std::string schema = pg::quote_identifier(on.schema() + "_trap");
        co_await session("create schema " + schema);
        co_await session(
            "create function " + schema +
            ".octet_length(bytea) returns integer language sql as 'select 1 / 0'");
        co_await session(
            "create function " + schema +
            ".format(text, variadic \"any\") returns text language internal as 'text_format'");
        co_await session("set search_path = " + schema + ", pg_catalog");
        co_await session("select {schema}.start('w', id => 'one')");
        co_await session("select {schema}.signal('one', 's')");
    });
    CHECK(bench.count("requests") == 1);
}

TEST_CASE("signalling by a function costs no more when the id has had ten thousand instances")
{
    const installation on;
    workbench bench{on};
    bench.start("one");
    bench.execute(
        "insert into {schema}.instances (k, id, workflow, queue, history_length, history_bytes, "
        "start_key, metadata, ended, state) overriding system value "
        "select 1000 + i, 'one', 'w', 'q', 1, 0, gen_random_uuid(), '', 1000 + i, 1 "
        "from generate_series(1, 10000) as i");
    bench.execute("analyze {schema}.instances");
    bench.run([&]() -> asio::awaitable<void> {
        by_hand session = co_await by_hand::connect(on);
        co_await session("select {schema}.signal('one', 's')"); // reads the catalogue, plans
        const pg::result plan = co_await session(
            "explain (analyze, buffers, costs off) select {schema}.signal('one', 's')");
        std::int64_t pages = 0;
        for (const auto& [line] : plan.rows<std::string>()) {
            const auto at = line.find("shared hit=");
            if (at != line.npos && pages == 0) pages = std::stoll(line.substr(at + 11));
        }
        CHECK(pages > 0);
        CHECK(pages < 100);
    });
}
