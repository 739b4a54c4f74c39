// Removing what finished instances have left.
#include "workbench.hpp"

#include <store/remove_batch.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <thread>

using namespace perdure;
using namespace perdure::store;

namespace {

/// Everything there is in the schema's tables.
std::int64_t rows(workbench& bench)
{
    std::int64_t sum = 0;
    for (const char* const table :
         {"instances", "history", "inbox", "idempotency_keys", "workflow_tasks", "activity_tasks"})
        sum += bench.count(table);
    return sum;
}

} // namespace

TEST_CASE("removing an instance that is active fails with not_finished")
{
    const installation on;
    workbench bench{on};
    bench.start_finished("one");
    bench.start("one");
    const std::int64_t before = rows(bench);
    CHECK(bench.remove("one") == removal::not_finished);
    CHECK(rows(bench) == before);
}

TEST_CASE("removing an instance that does not exist fails with not_found")
{
    const installation on;
    workbench bench{on};
    bench.start_finished("one");
    CHECK(bench.remove("nobody") == removal::not_found);
    CHECK(bench.remove("one") == removal::removed);
    CHECK(bench.remove("one") == removal::not_found);
}

TEST_CASE("removing an id leaves nothing of its finished instances, and all of the others")
{
    const installation on;
    workbench bench{on};
    bench.start_finished("other");
    bench.start("alive");
    const std::int64_t others = rows(bench);
    for (int i = 0; i < 3; ++i) {
        bench.start("one");
        bench.signal("one");
        bench.complete(workbench::finishing(bench.claim("q").at(1)));
        bench.execute("update {schema}.workflow_tasks set token = null, visible_at = now()");
    }
    CHECK(rows(bench) > others);
    const auto outcomes = bench.wait(bench.store.remove({"one", "nobody", "alive"}));
    CHECK(outcomes == std::vector{removal::removed, removal::not_found, removal::not_finished});
    CHECK(rows(bench) == others);
    CHECK(bench.wait(bench.store.state("other")));
}

TEST_CASE("an id is removed however many instances and events it has had, a few at a time")
{
    const installation on;
    workbench bench{on};
    bench.start_finished("one");
    bench.execute(
        "with made as (insert into {schema}.instances (k, id, workflow, queue, history_length, "
        "history_bytes, start_key, metadata, ended, state) overriding system value "
        "select 1000 + i, 'one', 'w', 'q', 1, 0, gen_random_uuid(), '', 1000 + i, 1 "
        "from generate_series(1, 250) as i returning k) "
        "insert into {schema}.history (instance, run, seq, type, operation, name, data, at) "
        "select k, 1, seq, 'workflow_task', 0, '', '', now() from made, "
        "generate_series(1, case when k % 50 = 0 then 5000 else 1 end) as seq");
    CHECK(bench.count("instances") == 251);
    CHECK(bench.count("history") > 20'000);
    CHECK(bench.remove("one") == removal::removed);
    CHECK(rows(bench) == 0);
    CHECK(bench.announcements.confirmed.size() > 4); // several transactions
}

TEST_CASE("an instance of which a worker still has an activity is removed when that is over")
{
    const installation on;
    workbench bench{on};
    bench.start("one");
    bench.complete(workbench::scheduling(bench.claim_one(), 1));
    const activity_task running = bench.claim_activities().at(0);
    bench.signal("one");
    bench.complete(workbench::finishing(bench.claim_one()));
    CHECK(bench.remove("one") == removal::busy);
    CHECK(bench.complete(workbench::completion(running)).dropped);
    CHECK(bench.remove("one") == removal::removed);
    CHECK(rows(bench) == 0);
}

TEST_CASE("an activity whose worker died does not keep its instance from being removed")
{
    const installation on;
    workbench bench{on};
    bench.start("one");
    bench.complete(workbench::scheduling(bench.claim_one(), 1));
    const activity_task dead = bench.claim_activities("q", 1, 0ms).at(0);
    bench.signal("one");
    bench.complete(workbench::finishing(bench.claim_one()));
    CHECK(bench.count("activity_tasks") == 1);
    CHECK(bench.remove("one") == removal::removed);
    CHECK(rows(bench) == 0);
    CHECK(bench.complete(workbench::completion(dead)).status == completion_status::lease_lost);
}

TEST_CASE("the result of a removed instance is that it was removed, and who waits is told to look")
{
    const installation on;
    workbench bench{on};
    const instance_key gone = bench.start_finished("gone");
    const instance_key there = bench.start_finished("there");
    const instance_key active = bench.start("active");
    CHECK(bench.remove("gone") == removal::removed);
    bool confirmed = false;
    for (const announcement& each : bench.announcements.confirmed)
        confirmed = confirmed || each.finished == std::vector{gone};
    CHECK(confirmed);
    const auto results = bench.wait(bench.store.results({gone, there, active}));
    REQUIRE(results.size() == 2);
    for (const instance_result& each : results) {
        CHECK(each.removed == (each.instance == gone));
        if (each.instance == there) CHECK(each.data.text() == "\"end\"");
    }
}

TEST_CASE("after its removal an id, a start's key and a signal's key are new again")
{
    const installation on;
    workbench bench{on};
    const new_instance request = workbench::request("one");
    bench.wait(bench.store.create({request}));
    bench.complete(workbench::finishing(bench.claim_one()));
    CHECK(bench.wait(bench.store.create({request})).at(0).status == created::status::repeated);
    CHECK(bench.remove("one") == removal::removed);
    CHECK(bench.wait(bench.store.create({request})).at(0).status == created::status::created);
}

TEST_CASE("an id is removed while it is started and finished again and again")
{
    const installation on;
    workbench remover{on};
    workbench bench{on};
    std::atomic<bool> stop = false;
    std::thread removing{[&] {
        while (!stop) remover.remove("one");
    }};
    for (int i = 0; i < 50; ++i) {
        const auto made = bench.wait(bench.store.create({workbench::request("one")}));
        REQUIRE(made.at(0).status == created::status::created);
        const workflow_task task = bench.claim_one();
        REQUIRE(task.instance == made.at(0).instance); // an active one is never removed
        REQUIRE(task.history.size() == 1);
        REQUIRE(bench.complete(workbench::finishing(task)).status == completion_status::confirmed);
        const auto results = bench.wait(bench.store.results({task.instance}));
        REQUIRE(results.size() == 1); // how it ended, or that it is gone, never nothing
    }
    stop = true;
    removing.join();
    bench.remove("one");
    CHECK(rows(bench) == 0);
}

TEST_CASE("a stranger's lock holds up a removal, which goes on when it is gone")
{
    const installation on;
    workbench bench{on};
    bench.start_finished("one");
    bench.run([&]() -> asio::awaitable<void> {
        by_hand stranger = co_await by_hand::connect(on);
        co_await stranger("begin");
        co_await stranger("select k from {schema}.instances for update");
        std::vector<std::string> ids{"one"};
        const auto done = spawn(bench.io, bench.store.remove(std::move(ids)));
        // Tried in vain for longer than a statement waits for a lock, and more than once.
        co_await test::wait_until([&] { return bench.announcements.troubles >= 2; });
        CHECK_FALSE(done->has_value());
        co_await stranger("rollback");
        co_await test::wait_until([&] { return done->has_value(); });
        CHECK((*done)->at(0) == removal::removed);
    });
    CHECK(rows(bench) == 0);
}

TEST_CASE("a removal whose lock stays beyond its patience says so, and changes nothing")
{
    const installation on;
    workbench bench{on};
    bench.start_finished("one");
    const std::int64_t before = rows(bench);
    pg::pool pool{bench.io.get_executor(), pg::pool_options{on.options()}};
    store_core core{pool, on.schema(), bench.announcements};
    remove_batch batch{core, {"one"}};
    batch_limits limits = remove_batch::limits();
    limits.patience = 600ms;
    std::size_t settled = 0;
    bench.run([&]() -> asio::awaitable<void> {
        by_hand stranger = co_await by_hand::connect(on);
        co_await stranger("begin");
        co_await stranger("select k from {schema}.instances for update");
        batch_progress progress;
        progress.settled = [&](std::size_t) { ++settled; };
        co_await run_batch(core, batch, batch.sizes(), limits, std::move(progress));
        co_await stranger("rollback");
    });
    CHECK(settled == 1);
    CHECK(batch.rejection().find("held a lock") != std::string::npos);
    CHECK(rows(bench) == before);
    pool.close();
}
