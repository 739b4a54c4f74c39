// What the triggers announce: changes that come from elsewhere.
#include "ear.hpp"

#include <doctest/doctest.h>

using namespace perdure;
using namespace perdure::store;

TEST_CASE("tasks that somebody else inserts are announced, once for each statement")
{
    const installation on;
    workbench bench{on};
    ear listening{on, bench};
    bench.execute("insert into {schema}.workflow_tasks (instance, queue, visible_at, token) values "
                  "(1, 'a', now(), null), (2, 'a', now() + interval '1 h', null), "
                  "(3, 'b', '2030-01-01 00:00Z', null), (4, 'c', now(), 7)");
    auto heard = listening.heard();
    REQUIRE(heard.size() == 1);
    REQUIRE(heard[0].workflow_queues.size() == 2);
    for (const announced_queue& each : heard[0].workflow_queues) {
        if (each.queue == "a") CHECK_FALSE(each.due);
        if (each.queue == "b") CHECK(each.due == timestamp{1'893'456'000s});
    }
    CHECK(heard[0].activity_queues.empty());
    CHECK(heard[0].from.empty());

    bench.execute(
        "insert into {schema}.activity_tasks (instance, run, operation, queue, visible_at, "
        "workflow_queue, name, arguments, start_to_close, attempts, initial_interval, "
        "backoff_coefficient, maximum_interval) "
        "values (1, 1, 1, 'x', now(), 'a', 'a', '[]', 1, 1, 1, 1, 1)");
    heard = listening.heard();
    REQUIRE(heard.size() == 1);
    CHECK(heard[0].activity_queues.at(0).queue == "x");
}

TEST_CASE("tasks that somebody else frees or moves earlier are announced, an upsert's too")
{
    const installation on;
    workbench bench{on};
    bench.execute(
        "insert into {schema}.workflow_tasks (instance, queue, visible_at, token) values "
        "(1, 'free', now() + interval '1 h', null), (2, 'held', now() + interval '1 h', 7), "
        "(3, 'later', now() + interval '1 h', 7)");
    ear listening{on, bench};
    bench.execute("insert into {schema}.workflow_tasks (instance, queue, visible_at) "
                  "values (1, 'free', now()) "
                  "on conflict (instance) do update set visible_at = excluded.visible_at");
    auto heard = listening.heard();
    REQUIRE(heard.size() == 1);
    CHECK(heard[0].workflow_queues.at(0).queue == "free");

    bench.execute("update {schema}.workflow_tasks set token = null where instance = 2");
    heard = listening.heard();
    REQUIRE(heard.size() == 1);
    CHECK(heard[0].workflow_queues.at(0).queue == "held");
    CHECK(heard[0].workflow_queues.at(0).due);

    bench.execute(
        "update {schema}.workflow_tasks set visible_at = now() + interval '2 h' where token = 7");
    CHECK(listening.heard().empty());
    bench.execute("update {schema}.workflow_tasks set visible_at = now() + interval '30 min' "
                  "where token = 7");
    CHECK(listening.heard().size() == 1);

    bench.execute("insert into {schema}.workflow_tasks (instance, queue, visible_at) "
                  "select n, repeat('q', 90) || n, now() from generate_series(100, 300) as n");
    heard = listening.heard();
    REQUIRE(heard.size() == 1);
    CHECK(heard[0].everything);
}

TEST_CASE("requests are announced when they are committed, and what a start makes claimable")
{
    const installation on;
    workbench bench{on};
    bench.start("one");
    ear listening{on, bench};
    bench.run([&]() -> asio::awaitable<void> {
        by_hand session = co_await by_hand::connect(on);
        co_await session("begin");
        co_await session("select {schema}.signal('one', 's') from generate_series(1, 100)");
        co_await session("select {schema}.cancel('one')");
        co_await session("rollback");
        co_await session("begin");
        co_await session("select {schema}.signal('one', 's') from generate_series(1, 100)");
        co_await session("select {schema}.cancel('one')");
        co_await session("commit");
    });
    auto heard = listening.heard();
    REQUIRE(heard.size() == 1); // equal ones of a transaction are one
    REQUIRE(heard[0].request_queues.size() == 1);
    CHECK(heard[0].request_queues[0].queue == "");
    CHECK_FALSE(heard[0].request_queues[0].due);
    CHECK(heard[0].workflow_queues.empty());

    bench.execute("select {schema}.start('w', queue => 'now')");
    heard = listening.heard();
    REQUIRE(heard.size() == 1);
    CHECK(heard[0].workflow_queues.at(0).queue == "now");
    CHECK_FALSE(heard[0].workflow_queues[0].due);
    bench.execute("select {schema}.start('w', queue => 'later', at => '2030-01-01 00:00Z')");
    heard = listening.heard();
    REQUIRE(heard.size() == 1);
    CHECK(heard[0].workflow_queues.at(0).due == timestamp{1'893'456'000s});
}

TEST_CASE("the store's own transactions do not set the triggers off")
{
    const installation on;
    workbench bench{on};
    bench.announcements.silent = true;
    ear listening{on, bench};
    bench.start("one");
    workflow_task task = bench.claim_one();
    workflow_release back;
    back.instance = task.instance;
    back.queue = task.queue;
    back.token = task.token;
    bench.wait(bench.store.release({back}));
    task = bench.claim_one();
    const std::vector<workflow_lease> leases{{task.instance, task.token}};
    bench.wait(bench.store.extend(leases, 1ms)); // which moves its instant earlier
    bench.complete(workbench::scheduling(task));
    const activity_task activity = bench.claim_activities().at(0);
    activity_completion again = workbench::completion(activity);
    again.outcome = activity_completion::outcome::retry;
    bench.complete(again);
    bench.complete(workbench::completion(bench.claim_activities().at(0)));
    bench.signal("one");
    bench.complete(workbench::finishing(bench.claim_one()));
    CHECK(listening.heard().empty());
}
