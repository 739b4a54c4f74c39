// The interleavings that lose an event, deadlock or let a stale worker win when they are handled
// the obvious way. Where it is cheap a test first shows the obvious way failing.
#include "workbench.hpp"

#include <doctest/doctest.h>

#include <thread>

using namespace perdure;
using namespace perdure::store;

TEST_CASE("a claim that a crash undid is stale, though its attempt number comes again")
{
    const installation on;
    workbench bench{on};
    bench.start("one");
    const workflow_task stale = bench.claim_one();
    // Claims commit asynchronously: after a crash of the server the row may be what it was before.
    bench.execute(
        "update {schema}.workflow_tasks set token = null, attempt = 0, visible_at = now()");
    const workflow_task fresh = bench.claim_one();
    CHECK(fresh.attempt == stale.attempt); // comparing the counter would let the stale worker win
    CHECK(bench.complete(workbench::finishing(stale)).status == completion_status::lease_lost);
    CHECK(bench.complete(workbench::finishing(fresh)).status == completion_status::confirmed);
}

TEST_CASE("waking a claimed task does not hand it to a second worker")
{
    const installation on;
    workbench bench{on};
    bench.start("one");
    const workflow_task task = bench.claim_one();

    // The obvious way: the earlier of the two instants.
    bench.execute("insert into {schema}.workflow_tasks (instance, queue, visible_at) "
                  "select k, queue, now() from {schema}.instances on conflict (instance) do update "
                  "set visible_at = least(workflow_tasks.visible_at, excluded.visible_at)");
    const workflow_task second = bench.claim_one();
    CHECK(second.instance == task.instance);

    bench.signal("one");
    CHECK(bench.claim().empty());
    CHECK(bench.complete(workbench::completion(second)).more);
}

TEST_CASE("an event whose sender was about to commit is not lost by the task that goes")
{
    const installation on;
    workbench bench{on};
    bench.start("one");
    const auto deliver = [](by_hand& sender) -> asio::awaitable<void> {
        co_await sender("begin");
        co_await sender("select k from {schema}.instances where ended = 0 for no key update");
        co_await sender("update {schema}.instances set arrived = arrived + 1 where ended = 0");
        co_await sender(
            "insert into {schema}.inbox (instance, number, type, operation, name, data, at) "
            "select k, arrived, 'signal_received', 0, 's', '1', now() from {schema}.instances "
            "where ended = 0");
    };

    SUBCASE("the obvious way: look and delete in one statement that has to wait first")
    {
        bench.claim_one();
        bench.run([&]() -> asio::awaitable<void> {
            by_hand sender = co_await by_hand::connect(on);
            by_hand worker = co_await by_hand::connect(on);
            by_hand watcher = co_await by_hand::connect(on);
            co_await deliver(sender);
            const auto done = spawn(
                bench.io,
                worker("with locked as (select k from {schema}.instances for no key update) "
                       "delete from {schema}.workflow_tasks as task using locked "
                       "where task.instance = locked.k and not exists "
                       "(select from {schema}.inbox as event where event.instance = locked.k)"));
            co_await watcher.until_blocked();
            co_await sender("commit");
            co_await test::wait_until([&] { return done->has_value(); });
        });
        CHECK(bench.count("inbox") == 1); // and nobody will ever look at it:
        CHECK(bench.count("workflow_tasks") == 0);
    }
    SUBCASE("the store's way: lock in one statement, look in a later one")
    {
        const workflow_task task = bench.claim_one();
        bench.run([&]() -> asio::awaitable<void> {
            by_hand sender = co_await by_hand::connect(on);
            by_hand watcher = co_await by_hand::connect(on);
            co_await deliver(sender);
            std::vector<workflow_completion> batch{workbench::completion(task)};
            const auto done = spawn(bench.io, bench.store.complete(std::move(batch)));
            co_await watcher.until_blocked();
            co_await sender("commit");
            co_await test::wait_until([&] { return done->has_value(); });
            CHECK((*done)->at(0).status == completion_status::confirmed);
            CHECK((*done)->at(0).more);
            CHECK((*done)->at(0).arrived.size() == 1);
        });
    }
}

TEST_CASE("an event that arrives during a claim is seen by the claim or by the completion")
{
    const installation on;
    workbench bench{on};
    bench.start("one");
    bench.run([&]() -> asio::awaitable<void> {
        by_hand claimer = co_await by_hand::connect(on);
        by_hand watcher = co_await by_hand::connect(on);
        // A claim that has taken the row and read the inbox, but not committed.
        co_await claimer("begin");
        co_await claimer("update {schema}.workflow_tasks set token = 4711, attempt = 1, "
                         "visible_at = clock_timestamp() + interval '10 s'");
        const pg::result seen = co_await claimer("select count(*) from {schema}.inbox");
        CHECK(seen.get<std::int64_t>(0, 0) == 0);
        signal_request request;
        request.id = "one";
        request.name = "s";
        request.data = text("1");
        request.key = draw_key();
        std::vector<signal_request> batch{request};
        const auto sent = spawn(bench.io, bench.store.signal(std::move(batch)));
        co_await watcher.until_blocked(); // the sender waits for the claim, and then leaves the row
        co_await claimer("commit");
        co_await test::wait_until([&] { return sent->has_value(); });
        CHECK((*sent)->at(0).status == signal_status::delivered);
    });
    CHECK(bench.claim().empty());
    const auto state = bench.wait(bench.store.state("one"));
    workflow_task task;
    task.instance = state->instance;
    task.queue = "q";
    task.token = static_cast<claim_token>(4711);
    task.history_length = 1;
    const workflow_completed outcome = bench.complete(workbench::completion(task));
    CHECK(outcome.status == completion_status::confirmed);
    CHECK(outcome.arrived.size() == 1);
}

TEST_CASE("batches that meet on the same instances in opposite orders do not deadlock")
{
    const installation on;
    workbench bench{on};
    constexpr std::int32_t instances = 20;
    constexpr std::int32_t activities = 10;
    for (std::int32_t i = 0; i < instances; ++i) bench.start(std::to_string(i));
    std::vector<workflow_completion> scheduled;
    for (const workflow_task& task : bench.claim("q", instances))
        scheduled.push_back(workbench::scheduling(task, activities));
    bench.wait(bench.store.complete(scheduled));
    // By operation, so that each batch has one result for every instance.
    std::vector<std::vector<activity_completion>> rounds(activities);
    for (const activity_task& task : bench.claim_activities("q", instances * activities))
        rounds[static_cast<std::size_t>(task.operation - 1)].push_back(workbench::completion(task));
    const auto deadlocks = [&] {
        return bench.value<std::int64_t>(
            "select deadlocks from pg_stat_database where datname = current_database()");
    };
    const std::int64_t before = deadlocks();
    std::vector<std::thread> workers;
    std::vector<int> confirmed(4);
    for (std::size_t worker = 0; worker < 4; ++worker)
        workers.emplace_back([&, worker] {
            workbench own{on};
            for (std::size_t round = worker; round < rounds.size(); round += 4) {
                std::vector<activity_completion> batch = rounds[round];
                if (worker % 2) std::reverse(batch.begin(), batch.end());
                for (const activity_completed& each : own.wait(own.store.complete(batch)))
                    confirmed[worker] += each.status == completion_status::confirmed;
            }
        });
    for (std::thread& worker : workers) worker.join();
    CHECK(confirmed[0] + confirmed[1] + confirmed[2] + confirmed[3] == instances * activities);
    CHECK(deadlocks() == before);
    for (const workflow_task& task : bench.claim("q", instances))
        CHECK(task.arrived.size() == activities);
}

TEST_CASE("events are numbered in the order of their commits, without gaps, and consumed by number")
{
    const installation on;
    workbench bench{on};
    bench.start("one");

    SUBCASE("the obvious way: a sequence's ids, consumed up to the last one seen")
    {
        bench.execute("create table {schema}.naive (id bigserial, name text)");
        bench.run([&]() -> asio::awaitable<void> {
            by_hand slow = co_await by_hand::connect(on);
            by_hand fast = co_await by_hand::connect(on);
            co_await slow("begin");
            co_await slow("insert into {schema}.naive (name) values ('slow')");
            co_await fast("insert into {schema}.naive (name) values ('fast')");
            const pg::result seen = co_await fast("select id, name from {schema}.naive");
            CHECK(seen.size() == 1);
            CHECK(seen.get<std::int64_t>(0, 0) == 2);
            co_await slow("commit");
            co_await fast("delete from {schema}.naive where id <= 2");
        });
        CHECK(bench.count("naive") == 0); // an event is gone that nobody has seen
    }
    SUBCASE("the store's way")
    {
        const workflow_task task = bench.claim_one();
        bench.run([&]() -> asio::awaitable<void> {
            by_hand slow = co_await by_hand::connect(on);
            by_hand watcher = co_await by_hand::connect(on);
            co_await slow("begin");
            co_await slow("select k from {schema}.instances for no key update");
            co_await slow("update {schema}.instances set arrived = arrived + 1");
            co_await slow(
                "insert into {schema}.inbox (instance, number, type, operation, name, data, at) "
                "select k, arrived, 'signal_received', 0, 'slow', '1', now() "
                "from {schema}.instances");
            signal_request request;
            request.id = "one";
            request.name = "fast";
            request.data = text("1");
            request.key = draw_key();
            std::vector<signal_request> batch{request};
            const auto sent = spawn(bench.io, bench.store.signal(std::move(batch)));
            co_await watcher.until_blocked();
            co_await slow("commit");
            co_await test::wait_until([&] { return sent->has_value(); });
        });
        const workflow_completed first = bench.complete(workbench::completion(task));
        REQUIRE(first.arrived.size() == 2);
        CHECK(first.arrived[0].number == 1);
        CHECK(first.arrived[0].event.name == "slow");
        CHECK(first.arrived[1].number == 2);
        CHECK(first.arrived[1].event.name == "fast");
    }
}

TEST_CASE("an event that was not consumed stays, even behind one that was")
{
    const installation on;
    workbench bench{on};
    bench.start("one");
    for (const char* const name : {"a", "b", "c"}) bench.signal("one", name);
    workflow_task task = bench.claim_one();
    REQUIRE(task.arrived.size() == 3);
    task.arrived = {task.arrived[2]};
    const workflow_completed outcome = bench.complete(workbench::completion(task));
    REQUIRE(outcome.more);
    REQUIRE(outcome.arrived.size() == 2);
    CHECK(outcome.arrived[0].event.name == "a");
    CHECK(outcome.arrived[1].event.name == "b");
}

TEST_CASE("one stale item of a batch is set apart, and writes nothing")
{
    const installation on;
    workbench bench{on};
    for (int i = 0; i < 3; ++i) bench.start(std::to_string(i));
    auto tasks = bench.claim();
    REQUIRE(tasks.size() == 3);

    SUBCASE("the obvious way: an update that finds no row does not stop its pipeline")
    {
        bench.run([&]() -> asio::awaitable<void> {
            by_hand worker = co_await by_hand::connect(on);
            pg::pipeline naive;
            naive.begin();
            naive.add(
                on.sql("update {schema}.workflow_tasks set token = null "
                       "where instance = $1 and token = $2"),
                tasks[1].instance, draw_token());
            naive.add(
                on.sql("insert into {schema}.history (instance, run, seq, type, operation, name, "
                       "data, at) values ($1, 1, 2, 'workflow_task', 0, '', '', now())"),
                tasks[1].instance);
            naive.commit();
            const pg::pipeline_result result = co_await worker.session().run(std::move(naive));
            CHECK(result.committed());
        });
        CHECK(bench.count("history") == 4); // a stale worker has written
    }
    SUBCASE("the store's way: the fence raises")
    {
        tasks[1].token = draw_token();
        std::vector<workflow_completion> batch;
        for (const workflow_task& task : tasks) batch.push_back(workbench::completion(task));
        const auto outcomes = bench.wait(bench.store.complete(batch));
        CHECK(outcomes[0].status == completion_status::confirmed);
        CHECK(outcomes[1].status == completion_status::lease_lost);
        CHECK(outcomes[2].status == completion_status::confirmed);
        CHECK(
            bench.value<std::int64_t>("select count(*) from {schema}.history where seq = 2") == 2);
        CHECK(bench.wait(bench.store.state("1"))->history_length == 1);
    }
}

TEST_CASE("an instance that a stranger has locked does not hold up the others of its batch")
{
    const installation on;
    workbench bench{on};
    for (int i = 0; i < 3; ++i) bench.start(std::to_string(i));
    std::vector<workflow_completion> batch;
    for (const workflow_task& task : bench.claim()) batch.push_back(workbench::completion(task));
    bench.run([&]() -> asio::awaitable<void> {
        by_hand stranger = co_await by_hand::connect(on);
        by_hand watcher = co_await by_hand::connect(on);
        co_await stranger("begin");
        co_await stranger("select k from {schema}.instances where id = '1' for update");
        const auto done = spawn(bench.io, bench.store.complete(batch));
        const auto end = std::chrono::steady_clock::now() + test::deadline;
        for (std::int64_t completed = 0; completed < 2;) {
            const pg::result rows = co_await watcher(
                "select count(*) from {schema}.instances where history_length = 2");
            completed = rows.get<std::int64_t>(0, 0);
            REQUIRE(std::chrono::steady_clock::now() < end);
        }
        CHECK_FALSE(done->has_value());
        co_await stranger("rollback");
        co_await test::wait_until([&] { return done->has_value(); });
        for (const workflow_completed& each : **done)
            CHECK(each.status == completion_status::confirmed);
    });
}

TEST_CASE("a signal whose instance ends while it waits reaches the next instance of that id")
{
    const installation on;
    workbench bench{on};
    const instance_key first = bench.start("one");
    const workflow_task task = bench.claim_one();
    instance_key second{};
    bench.run([&]() -> asio::awaitable<void> {
        by_hand stranger = co_await by_hand::connect(on);
        by_hand watcher = co_await by_hand::connect(on);
        co_await stranger("begin");
        co_await stranger("select k from {schema}.instances for no key update");
        signal_request request;
        request.id = "one";
        request.name = "s";
        request.data = text("1");
        request.key = draw_key();
        std::vector<signal_request> batch{request};
        const auto sent = spawn(bench.io, bench.store.signal(std::move(batch)));
        co_await watcher.until_blocked();
        co_await stranger("update {schema}.instances set ended = k, state = 1");
        co_await stranger(
            "insert into {schema}.instances (id, workflow, queue, history_length, history_bytes, "
            "start_key, metadata) values ('one', 'w', 'q', 1, 0, gen_random_uuid(), '')");
        co_await stranger("commit");
        co_await test::wait_until([&] { return sent->has_value(); });
        CHECK((*sent)->at(0).status == signal_status::delivered);
    });
    second = bench.wait(bench.store.state("one"))->instance;
    CHECK(second != first);
    CHECK(bench.wait(bench.store.state(second))->pending_events == 1);
}

TEST_CASE("a commit is durable even where the database's default is not")
{
    const installation on;
    workbench bench{on};
    bench.run([&]() -> asio::awaitable<void> {
        by_hand session = co_await by_hand::connect(on);
        const auto setting = [&](std::string file) -> asio::awaitable<std::string> {
            const std::string sql = read_sql(file);
            co_await session("begin");
            co_await session(sql);
            const pg::result rows =
                co_await session("select current_setting('synchronous_commit')");
            co_await session("rollback");
            co_return rows.get<std::string>(0, 0);
        };
        co_await session("set synchronous_commit = off");
        const std::string weak = co_await setting("durable_settings");
        CHECK(weak == "on");
        co_await session("set synchronous_commit = remote_apply");
        const std::string strong = co_await setting("durable_settings");
        CHECK(strong == "remote_apply");
        const std::string claim = co_await setting("lease_settings");
        CHECK(claim == "off");
    });
}
