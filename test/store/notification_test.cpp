// Who is told what: behind commits, and by the triggers for what comes from elsewhere.
#include "proxy.hpp"
#include "workbench.hpp"

#include <store/activity_batch.hpp>
#include <store/create_batch.hpp>
#include <store/release_batch.hpp>
#include <store/signal_batch.hpp>
#include <store/store_core.hpp>
#include <store/workflow_batch.hpp>

#include <doctest/doctest.h>

using namespace perdure;
using namespace perdure::store;

namespace {

/// A session that listens to an installation's channel.
class ear
{
public:
    ear(const installation& on, workbench& bench)
        : bench_{bench}, session_{bench.wait(pg::connection::connect(on.options()))}
    {
        const pg::statement listen = on.sql("listen {schema}");
        bench_.wait(session_.execute(listen));
    }

    /// What is heard until a marker comes that is sent now: all that was sent before.
    std::vector<announcement> heard()
    {
        return bench_.run([this]() -> asio::awaitable<std::vector<announcement>> {
            const pg::statement mark{"select pg_notify(pg_listening_channels(), 'mark')"};
            co_await session_.execute(mark);
            std::vector<announcement> all;
            for (;;) {
                const auto arrived = co_await session_.wait_notifications(
                    std::chrono::steady_clock::now() + test::deadline);
                if (arrived.empty()) throw std::runtime_error{"nothing was heard"};
                for (const pg::notification& each : arrived) {
                    if (each.payload == "mark") co_return all;
                    const auto read = decode_announcement(each.payload);
                    if (!read) throw std::runtime_error{"not an announcement: " + each.payload};
                    all.push_back(*read);
                }
            }
        });
    }

private:
    workbench& bench_;
    pg::connection session_;
};

} // namespace

TEST_CASE("what a commit made claimable is announced behind it, here and to the others")
{
    const installation on;
    workbench bench{on};
    ear listening{on, bench};
    const instance_key key = bench.start("one", "workflows");
    auto heard = listening.heard();
    REQUIRE(heard.size() == 1);
    REQUIRE(heard[0].workflow_queues.size() == 1);
    CHECK(heard[0].workflow_queues[0].queue == "workflows");
    CHECK_FALSE(heard[0].workflow_queues[0].due);
    REQUIRE(bench.announcements.confirmed.size() == 1);
    CHECK(bench.announcements.confirmed[0].workflow_queues[0].queue == "workflows");

    workflow_completion scheduled =
        workbench::scheduling(bench.claim_one("workflows"), 2, "activities");
    scheduled.next_timer = timestamp{1'900'000'000s};
    bench.complete(scheduled);
    heard = listening.heard();
    REQUIRE(heard.size() == 1);
    REQUIRE(heard[0].activity_queues.size() == 1);
    CHECK(heard[0].activity_queues[0].queue == "activities");
    REQUIRE(heard[0].workflow_queues.size() == 1);
    CHECK(heard[0].workflow_queues[0].due == scheduled.next_timer);

    const auto activities = bench.claim_activities("activities");
    bench.complete(workbench::completion(activities.at(0)));
    heard = listening.heard();
    REQUIRE(heard.size() == 1);
    CHECK(heard[0].workflow_queues.at(0).queue == "workflows");
    CHECK(heard[0].activity_queues.empty());

    activity_completion later = workbench::completion(activities.at(1));
    later.outcome = activity_completion::outcome::retry;
    later.delay = 1h;
    bench.complete(later);
    heard = listening.heard();
    REQUIRE(heard.size() == 1);
    REQUIRE(heard[0].activity_queues.size() == 1);
    REQUIRE(heard[0].activity_queues[0].due);
    const auto due = bench.value<timestamp>("select visible_at from {schema}.activity_tasks");
    CHECK(*heard[0].activity_queues[0].due <= due); // early rather than late
    CHECK(*heard[0].activity_queues[0].due > due - 10s);

    CHECK(bench.signal("one") == signal_status::delivered);
    heard = listening.heard();
    REQUIRE(heard.size() == 1);
    CHECK(heard[0].workflow_queues.at(0).queue == "workflows");
    CHECK(bench.announcements.confirmed.back().workflow_queues.at(0).queue == "workflows");

    bench.complete(workbench::finishing(bench.claim_one("workflows")));
    heard = listening.heard();
    REQUIRE(heard.size() == 1);
    CHECK(heard[0].finished == std::vector{key});
    CHECK(heard[0].workflow_queues.empty());
}

TEST_CASE(
    "of activities that were claimed as they were scheduled the end of their lease is announced")
{
    const installation on;
    workbench bench{on};
    ear listening{on, bench};
    bench.start("one");
    workflow_completion done = workbench::scheduling(bench.claim_one(), 2);
    done.eager = {0, 1};
    done.eager_token = draw_token();
    listening.heard();
    bench.complete(done);
    const auto heard = listening.heard();
    REQUIRE(heard.size() == 1);
    REQUIRE(heard[0].activity_queues.size() == 1);
    const auto due = heard[0].activity_queues[0].due;
    REQUIRE(due);
    const auto ends = bench.value<timestamp>("select min(visible_at) from {schema}.activity_tasks");
    CHECK(*due <= ends); // early rather than late
    CHECK(*due > ends - 5s);
    CHECK(bench.announcements.confirmed.back().activity_queues.at(0).due == due); // they rank by it
}

TEST_CASE(
    "of a workflow task that is claimed as a result arrives the end of its lease is announced")
{
    const installation on;
    workbench bench{on};
    ear listening{on, bench};
    bench.start("one");
    const workflow_completion scheduled = workbench::scheduling(bench.claim_one(), 2);
    bench.complete(scheduled);
    std::vector<activity_completion> results;
    for (const activity_task& each : bench.claim_activities())
        results.push_back(workbench::completion(each));
    results.at(1).eager.emplace(); // for the other, too
    results[1].eager->token = draw_token();
    results[1].eager->live = scheduled.token;
    listening.heard();
    bench.wait(bench.store.complete(results));
    const auto heard = listening.heard();
    REQUIRE(heard.size() == 1);
    REQUIRE(heard[0].workflow_queues.size() == 1);
    const auto due = heard[0].workflow_queues[0].due;
    REQUIRE(due);
    const auto ends = bench.value<timestamp>("select visible_at from {schema}.workflow_tasks");
    CHECK(*due <= ends); // early rather than late
    CHECK(*due > ends - 5s);
    CHECK(bench.announcements.confirmed.back().workflow_queues.at(0).due == due);
}

TEST_CASE("who completed an instance's last task is named to look first for what arrives")
{
    const installation on;
    workbench bench{on};
    ear listening{on, bench};
    const auto holders = [&](const std::vector<announcement>& heard) {
        REQUIRE(heard.size() == 1);
        const auto here = bench.announcements.confirmed.back().workflow_queues.at(0).holders;
        CHECK(heard[0].workflow_queues.at(0).holders == here);
        return here;
    };
    bench.start("one");
    CHECK(holders(listening.heard()).empty());
    workflow_completion done = workbench::scheduling(bench.claim_one(), 2);
    done.holder = member_id{7};
    done.eager = {1};
    done.eager_token = draw_token();
    const workflow_completed outcome = bench.complete(done);
    const activity_task claimed = bench.claim_activities().at(0);
    listening.heard();
    for (const activity_task& each : {claimed, outcome.claimed.at(0)}) {
        bench.complete(workbench::completion(each));
        CHECK(holders(listening.heard()) == std::vector{member_id{7}});
    }
    bench.signal("one");
    CHECK(holders(listening.heard()) == std::vector{member_id{7}});

    // Two signals in one batch: nobody is named unless he is known of both.
    bench.start("two");
    listening.heard();
    const auto signal_both = [&] {
        std::vector<signal_request> both(2);
        both[0].id = "one";
        both[1].id = "two";
        for (signal_request& each : both) {
            each.name = "s";
            each.data = text("1");
            each.key = draw_key();
        }
        bench.wait(bench.store.signal(std::move(both)));
        return holders(listening.heard());
    };
    CHECK(signal_both().empty());

    done = workbench::completion(bench.claim().at(1));
    done.holder = member_id{8};
    bench.complete(done);
    listening.heard();
    CHECK(signal_both() == std::vector{member_id{7}, member_id{8}});
}

TEST_CASE("an announcement says from which instant on its tasks are to be looked for")
{
    const installation on;
    workbench bench{on};
    ear listening{on, bench};
    bench.start("before"); // and the database's clock is known
    bench.complete(workbench::finishing(bench.claim_one()));
    listening.heard();
    const auto check_since = [&](const std::string& table) {
        CAPTURE(table);
        const auto heard = listening.heard();
        REQUIRE(heard.size() == 1);
        const auto visible_at =
            bench.value<timestamp>("select min(visible_at) from {schema}." + table);
        for (const timestamp since : {heard[0].since, bench.announcements.confirmed.back().since}) {
            CHECK(since <= visible_at);
            CHECK(since > visible_at - 10s);
        }
    };
    bench.start("one");
    check_since("workflow_tasks");
    workflow_task task = bench.claim_one();
    bench.complete(workbench::scheduling(task));
    check_since("activity_tasks");
    bench.complete(workbench::completion(bench.claim_activities().at(0)));
    check_since("workflow_tasks");
    task = bench.claim_one();
    workflow_completion late = workbench::completion(task);
    late.next_timer = bench.value<timestamp>("select now() - interval '5 seconds'");
    bench.complete(late);
    check_since("workflow_tasks");
    task = bench.claim_one();
    bench.complete(workbench::completion(task));
    listening.heard();
    CHECK(bench.signal("one") == signal_status::delivered);
    check_since("workflow_tasks");
}

TEST_CASE("every change is announced behind its commit, in the same round trip")
{
    // Inside the transaction NOTIFY would hold its lock, which all of the cluster shares, while a
    // disk writes.
    asio::io_context io;
    pg::pool pool{io.get_executor(), pg::pool_options{}};
    recorder announcements;
    store_core core{pool, "somewhere", announcements};
    create_batch starts{core, {workbench::request("one")}};
    signal_batch signals{core, {delivery{signal_request{}}}};
    workflow_completion finished;
    finished.finish.emplace();
    workflow_batch completions{core, {finished}};
    activity_batch results{core, {activity_completion{}}};
    release_batch releases{core, {workflow_release{}}};
    batch_operation* const operations[] = {&starts, &signals, &completions, &results, &releases};
    for (batch_operation* const operation : operations) {
        const std::size_t only[] = {0};
        const pg::pipeline work = operation->build(only);
        REQUIRE(work.commit_index());
        CHECK(*work.commit_index() == work.size() - 2);
        CHECK(work.items().back().statement.sql().find("pg_notify") != std::string_view::npos);
    }
    pool.close();
}

TEST_CASE("an announcer may have its commits announced within their transactions")
{
    const installation on;
    workbench bench{on};
    bench.announcements.within = true;
    ear listening{on, bench};
    bench.start("one");
    CHECK(listening.heard().size() == 1);
    bench.signal("one");
    CHECK(listening.heard().size() == 1);
    bench.complete(workbench::finishing(bench.claim_one()));
    CHECK(listening.heard().size() == 1);
    // Such a transaction waits for the disk as any other that changes instances.
    asio::io_context io;
    pg::pool pool{io.get_executor(), pg::pool_options{}};
    recorder announcements;
    announcements.within = true;
    store_core core{pool, "somewhere", announcements};
    workflow_completion finished;
    finished.finish.emplace();
    workflow_batch completions{core, {finished}};
    const std::size_t only[] = {0};
    const pg::pipeline work = completions.build(only);
    CHECK(*work.commit_index() == work.size() - 1);
    const auto& notify = work.items()[work.size() - 2];
    CHECK(notify.statement.sql().find("pg_notify") != std::string_view::npos);
    CHECK(notify.parameters.data().back() == std::byte{0}); // not by itself
    pool.close();
}

TEST_CASE("what was not committed is not announced")
{
    const installation on;
    workbench bench{on};
    bench.start("one");
    workflow_completion stale = workbench::finishing(bench.claim_one());
    stale.token = draw_token();
    ear listening{on, bench};
    const std::size_t before = bench.announcements.confirmed.size();
    CHECK(bench.complete(stale).status == completion_status::lease_lost);
    CHECK(bench.signal("nobody") == signal_status::not_found);
    CHECK(listening.heard().empty());
    // Whether an id is taken is known only behind the commit: others may look in vain.
    CHECK(
        bench.wait(bench.store.create({workbench::request("one")})).at(0).status ==
        created::status::already_exists);
    for (std::size_t i = before; i < bench.announcements.confirmed.size(); ++i)
        CHECK(bench.announcements.confirmed[i].empty());
}

TEST_CASE("an announcer that leads nothing keeps the channel silent, but is told of commits")
{
    const installation on;
    workbench bench{on};
    bench.announcements.silent = true;
    ear listening{on, bench};
    bench.start("one");
    bench.signal("one");
    bench.complete(workbench::finishing(bench.claim_one()));
    CHECK(listening.heard().empty());
    CHECK(bench.announcements.confirmed.size() == 3);
}

TEST_CASE(
    "a notification behind a commit is delivered even if its sender is cut off while it waits")
{
    const installation on;
    test::proxy line{on.dsn()};
    workbench bench{on};
    ear listening{on, bench};
    const pg::statement notify = on.sql(read_sql("notify"));
    constexpr int rounds = 20;
    for (int i = 0; i < rounds; ++i) {
        workbench sender{on, line.dsn()};
        pg::connection session = sender.connect();
        pg::pipeline work;
        work.begin();
        work.add(on.sql("select pg_current_xact_id()"));
        work.commit();
        work.add(notify, on.schema(), std::string{"{}"}, true);
        line.arm(test::fault::before_commit_answer);
        CHECK_THROWS_AS(sender.wait(session.run(std::move(work))), pg::error);
        // The server goes on with what it has received; its last act for that session is the
        // notification.
        bench.run([&]() -> asio::awaitable<void> {
            by_hand watcher = co_await by_hand::connect(on);
            const auto end = std::chrono::steady_clock::now() + test::deadline;
            for (std::int64_t alive = 1; alive > 0;) {
                const pg::result rows = co_await watcher.session().execute(
                    on.sql("select count(*) from pg_stat_activity where query like '%pg_notify%' "
                           "and state = 'active' and pid <> pg_backend_pid()"));
                alive = rows.get<std::int64_t>(0, 0);
                REQUIRE(std::chrono::steady_clock::now() < end);
            }
        });
    }
    std::size_t heard = 0;
    const auto end = std::chrono::steady_clock::now() + test::deadline;
    while (heard < rounds && std::chrono::steady_clock::now() < end)
        heard += listening.heard().size();
    CHECK(heard == rounds);
}

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
