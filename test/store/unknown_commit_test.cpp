// Commits whose answer was lost: the outcome is found out, never guessed.
#include "proxy.hpp"
#include "workbench.hpp"

#include <store/workflow_batch.hpp>

#include <doctest/doctest.h>

using namespace perdure;
using namespace perdure::store;
using test::fault;

namespace {

constexpr fault faults[] = {fault::before_commit, fault::before_commit_answer};

const char* name(fault f)
{
    return f == fault::before_commit ? "COMMIT did not arrive" : "COMMIT's answer did not arrive";
}

} // namespace

TEST_CASE("a workflow task whose commit is in doubt is completed exactly once")
{
    const installation on;
    test::proxy line{on.dsn()};
    workbench bench{on, line.dsn()};
    for (const fault f : faults) {
        CAPTURE(name(f));
        const std::string id = name(f);
        bench.start(id);
        std::vector<workflow_completion> batch{workbench::scheduling(bench.claim_one(), 2)};
        line.arm(f);
        const auto outcomes = bench.wait(bench.store.complete(batch));
        CHECK(line.fired());
        CHECK(outcomes[0].status == completion_status::confirmed);
        CHECK(bench.wait(bench.store.state(id))->history_length == 4);
        CHECK(bench.claim_activities().size() == 2);
        CHECK(bench.complete(batch[0]).status == completion_status::lease_lost);
    }
}

TEST_CASE("activities that were claimed in a commit in doubt are known once it is known")
{
    const installation on;
    test::proxy line{on.dsn()};
    workbench bench{on, line.dsn()};
    for (const fault f : faults) {
        CAPTURE(name(f));
        bench.start(name(f));
        workflow_completion done = workbench::scheduling(bench.claim_one(), 3);
        done.eager = {1, 2};
        done.eager_token = draw_token();
        line.arm(f);
        const workflow_completed outcome = bench.complete(done);
        CHECK(line.fired());
        CHECK(outcome.status == completion_status::confirmed);
        REQUIRE(outcome.claimed.size() == 2);
        CHECK(outcome.claimed[0].operation == 2);
        for (const activity_task& each : outcome.claimed)
            CHECK(
                bench.complete(workbench::completion(each)).status == completion_status::confirmed);
        CHECK(bench.claim_activities().size() == 1);
    }
}

TEST_CASE("a task whose commit is in doubt goes on with what has arrived")
{
    const installation on;
    test::proxy line{on.dsn()};
    workbench bench{on, line.dsn()};
    for (const fault f : faults) {
        CAPTURE(name(f));
        const std::string id = name(f);
        bench.start(id);
        const workflow_task task = bench.claim_one();
        bench.signal(id, "meanwhile");
        line.arm(f);
        const workflow_completed outcome = bench.complete(workbench::completion(task));
        CHECK(outcome.status == completion_status::confirmed);
        CHECK(outcome.more);
        REQUIRE(outcome.arrived.size() == 1);
        CHECK(outcome.arrived[0].event.name == "meanwhile");
        CHECK(outcome.now > timestamp{});
    }
}

TEST_CASE("an activity whose commit is in doubt delivers its result exactly once")
{
    const installation on;
    test::proxy line{on.dsn()};
    workbench bench{on, line.dsn()};
    for (const fault f : faults) {
        CAPTURE(name(f));
        const std::string id = name(f);
        bench.start(id);
        bench.complete(workbench::scheduling(bench.claim_one(), 2));
        const auto tasks = bench.claim_activities();
        activity_completion again = workbench::completion(tasks.at(1));
        again.outcome = activity_completion::outcome::retry;
        again.delay = 1h;
        line.arm(f);
        const auto outcomes = bench.wait(bench.store.complete(
            std::vector<activity_completion>{workbench::completion(tasks.at(0)), again}));
        CHECK(line.fired());
        CHECK(outcomes[0].status == completion_status::confirmed);
        CHECK(outcomes[1].status == completion_status::confirmed);
        CHECK(bench.claim_one().arrived.size() == 1);
        CHECK(
            bench.value<std::int64_t>(
                "select count(*) from {schema}.activity_tasks where token is null") == 1);
        bench.execute("delete from {schema}.activity_tasks");
    }
}

TEST_CASE(
    "of a result whose commit is in doubt the workflow task is handed over if it is still held")
{
    const installation on;
    test::proxy line{on.dsn()};
    workbench bench{on, line.dsn()};
    for (const fault f : faults) {
        CAPTURE(name(f));
        bench.start(name(f));
        const workflow_completion scheduled = workbench::scheduling(bench.claim_one(), 2);
        bench.complete(scheduled);
        std::vector<activity_completion> results;
        for (const activity_task& each : bench.claim_activities())
            results.push_back(workbench::claiming(each, scheduled.token));
        line.arm(f);
        const auto outcomes = bench.wait(bench.store.complete(results));
        CHECK(line.fired());
        for (const activity_completed& each : outcomes)
            CHECK(each.status == completion_status::confirmed);
        REQUIRE(outcomes.at(0).claimed);
        CHECK_FALSE(outcomes.at(1).claimed);
        CHECK(outcomes[0].claimed->token == results[0].eager->token);
        CHECK(outcomes[0].claimed->arrived.size() == 2);
        CHECK(bench.claim().empty());
        CHECK(
            bench.complete(workbench::finishing(*outcomes[0].claimed)).status ==
            completion_status::confirmed);
    }
}

TEST_CASE("a task whose release is in doubt is given back once")
{
    const installation on;
    test::proxy line{on.dsn()};
    workbench bench{on, line.dsn()};
    for (const fault f : faults) {
        CAPTURE(name(f));
        const std::string id = name(f);
        bench.start(id);
        const workflow_task task = bench.claim_one();
        workflow_release back;
        back.instance = task.instance;
        back.queue = task.queue;
        back.token = task.token;
        back.count_attempt = false;
        line.arm(f);
        CHECK(bench.wait(bench.store.release({back})).at(0) == completion_status::confirmed);
        const workflow_task again = bench.claim_one();
        CHECK(again.attempt == 1);
        bench.complete(workbench::finishing(again));
    }
}

TEST_CASE("a start whose commit is in doubt happens once")
{
    const installation on;
    test::proxy line{on.dsn()};
    workbench bench{on, line.dsn()};
    for (const fault f : faults) {
        CAPTURE(name(f));
        const std::string id = name(f);
        line.arm(f);
        const auto made = bench.wait(bench.store.create({workbench::request(id)}));
        CHECK(
            made[0].status ==
            (f == fault::before_commit ? created::status::created : created::status::repeated));
        CHECK(bench.claim_one().id == id);
        CHECK(bench.claim().empty());
    }
    CHECK(bench.announcements.untold == std::size(faults)); // what went along goes out again
}

TEST_CASE("a signal whose commit is in doubt arrives once")
{
    const installation on;
    test::proxy line{on.dsn()};
    workbench bench{on, line.dsn()};
    bench.start("one");
    for (const fault f : faults) {
        CAPTURE(name(f));
        line.arm(f);
        CHECK(bench.signal("one") != signal_status::not_found);
    }
    CHECK(bench.claim_one().arrived.size() == 2);
}

TEST_CASE("a commit in doubt is recognized though the next worker has completed meanwhile")
{
    const installation on;
    workbench bench{on};
    pg::pool pool{bench.io.get_executor(), pg::pool_options{on.options()}};
    store_core core{pool, on.schema(), bench.announcements};
    bench.start("one");
    const workflow_completion committed = workbench::completion(bench.claim_one());
    CHECK(bench.complete(committed).status == completion_status::confirmed);
    workflow_completion not_committed = committed;
    not_committed.token = draw_token();
    bench.signal("one");
    const workflow_task then = bench.claim_one();
    CHECK(bench.complete(workbench::completion(then)).status == completion_status::confirmed);
    // By the token of the last completion alone, neither would have been committed.
    CHECK(bench.wait(bench.store.state("one"))->history_length == 4);

    workflow_batch batch{core, {committed, not_committed}};
    const std::size_t both[] = {0, 1};
    pg::pipeline question = batch.build_resolve(both);
    const pg::pipeline_result answer = bench.wait(pool.run(std::move(question)));
    CHECK(batch.resolved(both, answer) == std::vector{true, false});
    CHECK_FALSE(batch.take(0).more);
    pool.close();
}

TEST_CASE("a commit whose wait for an absent standby is cut off is found out, not guessed")
{
    dev::server server;
    const installation on{server.dsn()};
    workbench bench{on};
    for (const std::string cut_off : {"pg_cancel_backend", "pg_terminate_backend"}) {
        CAPTURE(cut_off);
        bench.start(cut_off);
        std::vector<workflow_completion> batch{workbench::finishing(bench.claim_one())};
        bench.run([&]() -> asio::awaitable<void> {
            by_hand operating = co_await by_hand::connect(on);
            co_await operating("alter system set synchronous_standby_names = 'absent'");
            co_await operating("select pg_reload_conf()");
            const auto done = spawn(bench.io, bench.store.complete(batch));
            const std::string cut = "select count(" + cut_off +
                                    "(pid)) from pg_stat_activity where wait_event = 'SyncRep'";
            for (std::int64_t waiting = 0; waiting == 0;) { // 1: the commit waits, and is cut off
                const pg::result rows = co_await operating(cut);
                waiting = rows.get<std::int64_t>(0, 0);
            }
            // The question waits for the standby as the commit did. A cancelled wait reports
            // success: whoever believes it has an answer now.
            for (std::int64_t waiting = 0; waiting == 0;) {
                const pg::result rows = co_await operating(
                    "select count(*) from pg_stat_activity where wait_event = 'SyncRep'");
                waiting = rows.get<std::int64_t>(0, 0);
            }
            CHECK_FALSE(done->has_value());
            co_await operating("alter system reset synchronous_standby_names");
            co_await operating("select pg_reload_conf()");
            co_await test::wait_until([&] { return done->has_value(); });
            CHECK((*done)->at(0).status == completion_status::confirmed);
        });
        CHECK(bench.wait(bench.store.state(cut_off))->status == instance_status::completed);
        CHECK(bench.claim().empty());
    }
}

TEST_CASE("an orphaned transaction that still runs is waited out before it is asked for")
{
    const installation on;
    workbench bench{on};
    const instance_key key = bench.start("one");
    const claim_token token = draw_token();
    bench.run([&]() -> asio::awaitable<void> {
        by_hand orphan = co_await by_hand::connect(on);
        by_hand asker = co_await by_hand::connect(on);
        by_hand watcher = co_await by_hand::connect(on);
        const pg::statement complete =
            on.sql("update {schema}.instances set last_token = $1 where k = $2");
        const std::vector<instance_key> keys{key};
        const std::vector<claim_token> tokens{token};
        const std::vector<claim_token> next_tokens{draw_token()};
        const std::vector<std::int32_t> runs{1};
        const std::vector<std::int32_t> lengths{1};
        const pg::statement ask = on.sql(read_sql("resolve_workflow_tasks"));
        const pg::statement lock = on.sql(read_sql("lock_orphans"));

        co_await orphan("begin");
        co_await orphan.session().execute(complete, token, key);
        // The obvious way, a plain read, says no a moment before the orphan commits.
        const pg::result naive =
            co_await asker.session().execute(ask, keys, tokens, next_tokens, runs, lengths);
        CHECK_FALSE(naive.get<bool>(0, 1));

        co_await asker("begin");
        const auto locked = spawn(bench.io, asker.session().execute(lock, keys));
        co_await watcher.until_blocked();
        co_await orphan("commit");
        co_await test::wait_until([&] { return locked->has_value(); });
        const pg::result sure =
            co_await asker.session().execute(ask, keys, tokens, next_tokens, runs, lengths);
        CHECK(sure.get<bool>(0, 1));
        co_await asker("rollback");
    });
}

TEST_CASE("work that is reported while the database restarts is stored when it is back")
{
    dev::server server;
    const installation on{server.dsn()};
    workbench bench{on};
    bench.start("one");
    bench.start("two");
    const auto tasks = bench.claim();
    REQUIRE(tasks.size() == 2);
    std::vector<workflow_completion> batch;
    for (const workflow_task& task : tasks) batch.push_back(workbench::finishing(task));
    server.stop(dev::stop_mode::immediate);
    const auto done = spawn(bench.io, bench.store.complete(batch));
    bench.run([&]() -> asio::awaitable<void> {
        co_await test::wait_until([&] { return bench.announcements.troubles >= 2; });
    });
    CHECK_FALSE(done->has_value());
    server.start();
    bench.run([&]() -> asio::awaitable<void> {
        co_await test::wait_until([&] { return done->has_value(); });
    });
    // The claims were not durable. Either the crash undid them, then the fence says so, or they are
    // stored.
    for (const workflow_completed& each : **done) CHECK(each.status != completion_status::rejected);
    const auto left = bench.claim();
    for (std::size_t i = 0; i < 2; ++i)
        if ((*done)->at(i).status == completion_status::lease_lost) CHECK(left.size() > 0);
}

TEST_CASE("a start while the database is away fails at once, and says so")
{
    dev::server server;
    const installation on{server.dsn()};
    workbench bench{on};
    server.stop();
    try {
        bench.wait(bench.store.create({workbench::request("one")}));
        FAIL("it was created nowhere");
    } catch (const pg::error& failure) {
        CHECK(failure.code() == pg::errc::connect_failed);
    }
    server.start();
    CHECK(
        bench.wait(bench.store.create({workbench::request("one")})).at(0).status ==
        created::status::created);
}
