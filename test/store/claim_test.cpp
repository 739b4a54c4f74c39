// Claiming: what is returned, what is left alone, and what it costs.
#include "workbench.hpp"

#include <doctest/doctest.h>

#include <set>
#include <thread>

using namespace perdure;
using namespace perdure::store;

TEST_CASE("claiming with nothing there returns nothing")
{
    const installation on;
    workbench bench{on};
    const auto workflows = bench.wait(bench.store.claim_workflow_tasks(workbench::asking("q")));
    CHECK(workflows.tasks.empty());
    CHECK_FALSE(workflows.next_due);
}

TEST_CASE("claiming an activity with nothing there returns nothing")
{
    const installation on;
    workbench bench{on};
    const auto activities = bench.wait(bench.store.claim_activity_tasks(workbench::asking("q")));
    CHECK(activities.tasks.empty());
    CHECK_FALSE(activities.next_due);
}

TEST_CASE("claiming returns the created instance, with its history")
{
    const installation on;
    workbench bench{on};
    const instance_key key = bench.start("one");
    const auto tasks = bench.claim();
    REQUIRE(tasks.size() == 1);
    const workflow_task& task = tasks[0];
    CHECK(task.instance == key);
    CHECK(task.id == "one");
    CHECK(task.workflow == "w");
    CHECK(task.run == 1);
    CHECK(task.history_length == 1);
    CHECK(task.attempt == 1);
    CHECK(task.token != claim_token{});
    CHECK_FALSE(task.last_token);
    CHECK(task.arrived.empty());
    REQUIRE(task.history.size() == 1);
    CHECK(task.history[0].type == event_type::workflow_started);
    CHECK(task.history[0].data == text("[1]"));
}

TEST_CASE("a claim on other queues returns nothing; on its queue it returns the instance")
{
    const installation on;
    workbench bench{on};
    bench.start("one", "eu");
    CHECK(bench.claim("us").empty());
    const auto tasks = bench.claim("eu");
    REQUIRE(tasks.size() == 1);
    CHECK(tasks[0].queue == "eu");
}

TEST_CASE("a claimed task is not claimed again while its lease lasts")
{
    const installation on;
    workbench bench{on};
    bench.start("one");
    CHECK(bench.claim().size() == 1);
    CHECK(bench.claim().empty());
}

TEST_CASE("a task whose lease ended is claimed again, under another token, as another attempt")
{
    const installation on;
    workbench bench{on};
    bench.start("one");
    const workflow_task first = bench.claim_one("q", 0ms);
    const workflow_task second = bench.claim_one();
    CHECK(second.instance == first.instance);
    CHECK(second.token != first.token);
    CHECK(second.attempt == 2);
}

TEST_CASE("a claim returns at most as many tasks as were asked for, the longest due first")
{
    const installation on;
    workbench bench{on};
    for (int i = 0; i < 5; ++i) bench.start(std::to_string(i));
    const auto first = bench.claim("q", 3);
    REQUIRE(first.size() == 3);
    for (std::size_t i = 0; i < 3; ++i) CHECK(first[i].id == std::to_string(i));
    CHECK(bench.claim("q", 3).size() == 2);
}

TEST_CASE("a claim looks at several queues in the order they were given")
{
    const installation on;
    workbench bench{on};
    for (const char* const queue : {"a", "b", "c"})
        for (int i = 0; i < 2; ++i) bench.start(queue + std::to_string(i), queue);
    claim_request request;
    request.queues = {"c", "a"};
    request.limit = 3;
    const auto tasks = bench.wait(bench.store.claim_workflow_tasks(request)).tasks;
    REQUIRE(tasks.size() == 3);
    CHECK(tasks[0].queue == "c");
    CHECK(tasks[1].queue == "c");
    CHECK(tasks[2].queue == "a");
}

TEST_CASE("a claim says when the next task is due, and what the database's clock shows")
{
    const installation on;
    workbench bench{on};
    bench.start("one");
    workflow_task task = bench.claim_one();
    workflow_completion sleeping = workbench::completion(task);
    const auto due = bench.value<timestamp>("select clock_timestamp() + interval '1 hour'");
    sleeping.next_timer = due;
    CHECK(bench.complete(sleeping).status == completion_status::confirmed);
    const auto looked = bench.wait(bench.store.claim_workflow_tasks(workbench::asking("q")));
    CHECK(looked.tasks.empty());
    CHECK(looked.next_due == due);
    CHECK(looked.now < due - 59min);
    CHECK(looked.now > due - 61min);
}

TEST_CASE("the next due instant is past when another transaction holds the row")
{
    const installation on;
    workbench bench{on};
    bench.start("one");
    bench.run([&]() -> asio::awaitable<void> {
        pg::connection stranger = co_await pg::connection::connect(on.options());
        co_await stranger.execute(on.sql("begin"));
        co_await stranger.execute(on.sql("select 1 from {schema}.workflow_tasks for update"));
        const claimed<workflow_task> looked =
            co_await bench.store.claim_workflow_tasks(workbench::asking("q"));
        CHECK(looked.tasks.empty());
        REQUIRE(looked.next_due);
        CHECK(*looked.next_due <= looked.looked_at);
        co_await stranger.execute(on.sql("rollback"));
    });
    CHECK(bench.claim().size() == 1);
}

TEST_CASE("racing workers claim each task once")
{
    const installation on;
    constexpr int instances = 200;
    workbench bench{on};
    std::vector<new_instance> batch;
    for (int i = 0; i < instances; ++i) batch.push_back(workbench::request(std::to_string(i)));
    bench.wait(bench.store.create(std::move(batch)));

    std::vector<std::vector<instance_key>> got(4);
    std::vector<std::thread> workers;
    for (auto& mine : got)
        workers.emplace_back([&on, &mine] {
            workbench own{on};
            for (auto tasks = own.claim("q", 3); !tasks.empty(); tasks = own.claim("q", 3))
                for (const workflow_task& task : tasks) mine.push_back(task.instance);
        });
    for (std::thread& worker : workers) worker.join();
    std::multiset<instance_key> all;
    for (const auto& mine : got) all.insert(mine.begin(), mine.end());
    // A worker may find only rows that others are claiming and stop early, but nothing is claimed
    // twice.
    CHECK(std::set<instance_key>(all.begin(), all.end()).size() == all.size());
    for (const workflow_task& task : bench.claim("q", instances)) all.insert(task.instance);
    CHECK(all.size() == instances);
}

TEST_CASE("an idle claim uses no transaction id and writes nothing")
{
    const installation on;
    workbench bench{on};
    bench.start("other", "other");
    pg::connection session = bench.connect();
    const auto next_id = [&] {
        return bench.value<std::int64_t>(
            "select pg_snapshot_xmax(pg_current_snapshot())::text::bigint");
    };
    const auto written = [&] {
        return bench.value<std::string>("select pg_current_wal_insert_lsn()::text");
    };
    bench.claim(); // connects, prepares
    bench.claim_activities();
    // Other sessions of the server may write too; one quiet pass in some is enough.
    bool quiet = false;
    for (int tries = 0; tries < 20 && !quiet; ++tries) {
        const auto id = next_id();
        const auto wal = written();
        bench.claim();
        bench.claim_activities();
        quiet = next_id() == id && written() == wal;
    }
    CHECK(quiet);
}

TEST_CASE("a claim does not wait for the log to reach the disk, and leaves the session as it was")
{
    const installation on;
    workbench bench{on};
    bench.start("one");
    bench.claim();
    CHECK(bench.value<std::string>("select current_setting('synchronous_commit')") == "on");
    CHECK(bench.value<std::string>("select coalesce(current_setting('perdure.engine', true), '')")
              .empty());
    CHECK(bench.value<std::string>("select current_setting('statement_timeout')") == "0");
}

TEST_CASE("the claim's plan reads the index in order whatever the numbers are")
{
    const installation on;
    workbench bench{on};
    bench.run([&]() -> asio::awaitable<void> {
        pg::connection session = co_await pg::connection::connect(on.options());
        co_await session.execute(on.sql("set perdure.engine = 'on'"));
        co_await session.execute(
            on.sql("insert into {schema}.workflow_tasks (instance, queue, visible_at) "
                   "select n, 'q', case when n % 2 = 0 then now() - n * interval '1 ms' "
                   "else now() + interval '1 day' + n * interval '1 ms' end "
                   "from generate_series(1, 200000) as n"));
        co_await session.execute(
            on.sql("insert into {schema}.activity_tasks (instance, run, operation, queue, "
                   "visible_at, workflow_queue, name, arguments, start_to_close, attempts, "
                   "initial_interval, backoff_coefficient, maximum_interval) "
                   "select instance, 1, 1, queue, visible_at, 'q', 'a', '', 1, 1, 1, 1, 1 "
                   "from {schema}.workflow_tasks"));
        co_await session.execute(on.sql("analyze {schema}.workflow_tasks"));
        co_await session.execute(on.sql("analyze {schema}.activity_tasks"));
        co_await session.execute(on.sql("set plan_cache_mode = force_generic_plan"));
        co_await session.execute(on.sql("set synchronous_commit = off"));

        for (const std::string_view table : {"workflow", "activity"}) {
            CAPTURE(table);
            const std::string claim = read_sql("claim_" + std::string{table} + "_tasks");
            co_await session.execute(on.sql(
                "prepare claim (text[], smallint[], integer, bigint, bigint, timestamptz[]) as " +
                claim));
            const pg::result plan = co_await session.execute(
                on.sql("explain (analyze, costs off) execute claim ('{q}', '{0}', 10, 1, 10000, "
                       "array[now() - interval '1 minute'])"));
            std::string text;
            for (const auto& [line] : plan.rows<std::string>()) text += line + "\n";
            CAPTURE(text);
            CHECK(
                text.find("Index Scan using " + std::string{table} + "_tasks_due") !=
                std::string::npos);
            CHECK(
                text.find("Index Scan using " + std::string{table} + "_tasks_pkey") !=
                std::string::npos);
            CHECK(text.find("Sort Key: visible_at") == std::string::npos);
            CHECK(text.find("Seq Scan on " + std::string{table} + "_tasks") == std::string::npos);
            co_await session.execute(on.sql("deallocate claim"));
        }
    });
}

TEST_CASE("a task with an event of a type that this version does not know says so, and no other")
{
    const installation on;
    workbench bench{on};
    bench.start("odd");
    bench.start("even");
    CHECK(bench.signal("odd") == signal_status::delivered);
    bench.execute("update {schema}.inbox set type = 'from_the_future'");
    const auto tasks = bench.claim();
    REQUIRE(tasks.size() == 2);
    for (const workflow_task& task : tasks) {
        if (task.id == "even")
            CHECK(task.problem.empty());
        else
            CHECK(task.problem.find("from_the_future") != std::string::npos);
    }
}

TEST_CASE("an extended lease keeps the task")
{
    const installation on;
    workbench bench{on};
    bench.start("one");
    bench.start("two");
    const auto tasks = bench.claim("q", 10, 0ms);
    REQUIRE(tasks.size() == 2);
    const std::vector<workflow_lease> leases{
        {tasks[1].instance, tasks[1].token},
        {tasks[0].instance, draw_token()},
        {tasks[0].instance, tasks[0].token}};
    const auto extended = bench.wait(bench.store.extend(leases, 10s));
    CHECK(extended == std::vector{extension::held, extension::lost, extension::held});
    CHECK(bench.claim().empty());
}

TEST_CASE("the lease of a task that somebody else has claimed cannot be extended")
{
    const installation on;
    workbench bench{on};
    bench.start("one");
    const workflow_task stale = bench.claim_one("q", 0ms);
    const workflow_task fresh = bench.claim_one("q", 10s);
    const auto before = bench.value<timestamp>("select visible_at from {schema}.workflow_tasks");
    const std::vector<workflow_lease> leases{{stale.instance, stale.token}};
    CHECK(bench.wait(bench.store.extend(leases, 1h)) == std::vector{extension::lost});
    CHECK(bench.value<timestamp>("select visible_at from {schema}.workflow_tasks") == before);
}

TEST_CASE("extending does not wait for a transaction that changes the row: it says busy")
{
    const installation on;
    workbench bench{on};
    bench.start("one");
    const workflow_task task = bench.claim_one();
    bench.run([&]() -> asio::awaitable<void> {
        pg::connection stranger = co_await pg::connection::connect(on.options());
        co_await stranger.execute(on.sql("begin"));
        co_await stranger.execute(on.sql("select 1 from {schema}.workflow_tasks for update"));
        std::vector<workflow_lease> leases{{task.instance, task.token}};
        const std::vector<extension> extended = co_await bench.store.extend(leases, 10s);
        CHECK(extended == std::vector{extension::busy});
        co_await stranger.execute(on.sql("rollback"));
    });
}

TEST_CASE("the safety statement shows who looks at a topic, and leaves nothing behind")
{
    const installation on;
    workbench bench{on};
    pg::connection first = bench.connect();
    pg::connection second = bench.connect();
    const auto looking_at = [](const safety_report& read, std::int32_t topic) {
        std::set<std::int32_t> members;
        for (const present_member& each : read.members)
            if (each.topic == topic) members.insert(each.member);
        return members;
    };
    using members = std::set<std::int32_t>;
    constexpr std::int32_t eu = 2'147'480'001;
    constexpr std::int32_t us = 2'147'480'002;
    bench.safety(first, {eu, us}, 11);
    bench.safety(second, {eu}, 22);
    CHECK(looking_at(bench.safety(second, {eu}, 22), eu) == members{11, 22});
    const safety_report both = bench.safety(second, {eu, us}, 22);
    CHECK(looking_at(both, us) == members{11});
    // Giving a topic up, once, is enough however often it was asked for.
    bench.safety(first, {us}, 11);
    CHECK(looking_at(bench.safety(second, {eu, us}, 22), eu) == members{22});
    first = bench.connect(); // the session has ended, and its locks some time later
    while (looking_at(bench.safety(second, {eu, us}, 22), us) != members{22}) {}
    CHECK(both.now > timestamp{});
}

TEST_CASE("the safety statement reads the earliest instant of every queue")
{
    const installation on;
    workbench bench{on};
    bench.start("one", "a");
    bench.start("two", "a");
    bench.start("another", "a");
    bench.start("three", "b");
    bench.execute("update {schema}.workflow_tasks set visible_at = '2030-01-01 00:00Z' "
                  "where queue = 'b'");
    bench.execute("update {schema}.workflow_tasks set priority = 1, visible_at = "
                  "'2020-01-01 00:00Z' where instance = 2");
    bench.complete(workbench::scheduling(bench.claim_one("a"), 1, "c"));
    pg::connection session = bench.connect();
    const safety_report read = bench.safety(session, {}, 1);
    std::set<std::pair<bool, std::string>> queues;
    for (const due_queue& each : read.queues) {
        queues.emplace(each.activities, each.queue);
        if (each.queue == "b") CHECK(each.visible_at == timestamp{1'893'456'000s});
        if (each.queue == "a") CHECK(each.visible_at == timestamp{1'577'836'800s});
    }
    CHECK(
        queues == std::set<std::pair<bool, std::string>>{{false, "a"}, {false, "b"}, {true, "c"}});
}
