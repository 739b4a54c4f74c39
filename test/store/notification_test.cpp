// Who is told what behind commits.
#include "ear.hpp"
#include "proxy.hpp"

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

/// That the end of a lease is announced, here and to others, who rank by it: early rather than late.
void check_lease_end(
    workbench& bench, const std::vector<announced_queue>& heard,
    const std::vector<announced_queue>& confirmed, const std::string& table)
{
    REQUIRE(heard.size() == 1);
    const auto due = heard[0].due;
    REQUIRE(due);
    const auto ends = bench.value<timestamp>("select min(visible_at) from {schema}." + table);
    CHECK(*due <= ends);
    CHECK(*due > ends - 5s);
    CHECK(confirmed.at(0).due == due);
}

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
    check_lease_end(
        bench, heard[0].activity_queues, bench.announcements.confirmed.back().activity_queues,
        "activity_tasks");
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
    const auto activities = bench.claim_activities();
    const std::vector<activity_completion> results{
        workbench::completion(activities.at(0)),
        workbench::claiming(activities.at(1), scheduled.token)}; // for the other, too
    listening.heard();
    bench.wait(bench.store.complete(results));
    const auto heard = listening.heard();
    REQUIRE(heard.size() == 1);
    check_lease_end(
        bench, heard[0].workflow_queues, bench.announcements.confirmed.back().workflow_queues,
        "workflow_tasks");
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
