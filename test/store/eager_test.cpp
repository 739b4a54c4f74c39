// Workflow tasks that are claimed by whoever stores the results that wake them.
#include "workbench.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <vector>

using namespace perdure;
using namespace perdure::store;

namespace {

/// An instance that waits for activities, which are claimed.
struct waiting
{
    std::vector<activity_task> activities;
    claim_token live{}; // of its last commit
};

waiting start_waiting(workbench& bench, const std::string& id, std::int32_t activities = 1)
{
    waiting made;
    bench.start(id);
    const workflow_completion scheduled = workbench::scheduling(bench.claim_one(), activities);
    made.live = scheduled.token;
    bench.complete(scheduled);
    made.activities = bench.claim_activities();
    return made;
}

/// A result whose reporter goes on with the workflow.
activity_completion eager(
    const waiting& from, std::size_t place = 0, std::chrono::milliseconds lease = 10s)
{
    return workbench::claiming(from.activities.at(place), from.live, lease);
}

} // namespace

TEST_CASE("a workflow task can be claimed along with the result that wakes it, and is a claim like "
          "any other")
{
    const installation on;
    workbench bench{on};
    waiting one = start_waiting(bench, "one", 2);
    const instance_key key = one.activities.at(0).instance;
    const activity_completion result = eager(one, 0, 300ms);
    const activity_completed outcome = bench.complete(result);
    CHECK(outcome.status == completion_status::confirmed);
    REQUIRE(outcome.claimed);
    const workflow_task& task = *outcome.claimed;
    CHECK(task.instance == key);
    CHECK(task.id == "one");
    CHECK(task.workflow == "w");
    CHECK(task.queue == "q");
    CHECK(task.run == 1);
    CHECK(task.history_length == 4);
    CHECK(task.attempt == 1);
    CHECK(task.token == result.eager->token);
    CHECK(task.last_token == one.live);
    REQUIRE(task.arrived.size() == 1);
    CHECK(task.arrived[0].number == 1);
    CHECK(task.arrived[0].event.type == event_type::activity_completed);
    CHECK(task.arrived[0].event.data == text("42"));
    CHECK(task.history.empty());
    CHECK(task.problem.empty());
    CHECK(task.claimed_at >= task.arrived[0].event.at);

    std::vector<workflow_task> taken_over;
    const auto end = std::chrono::steady_clock::now() + test::deadline;
    while (taken_over.empty() && std::chrono::steady_clock::now() < end) taken_over = bench.claim();
    CHECK(taken_over.at(0).attempt == 2);
    CHECK(bench.complete(workbench::completion(task)).status == completion_status::lease_lost);
    const workflow_completion done = workbench::completion(taken_over[0]);
    CHECK(bench.complete(done).status == completion_status::confirmed);

    one.live = done.token;
    const activity_completed last = bench.complete(eager(one, 1));
    REQUIRE(last.claimed);
    CHECK(bench.claim().empty());
    CHECK(
        bench.complete(workbench::finishing(*last.claimed)).status == completion_status::confirmed);
    CHECK(bench.count("workflow_tasks") == 0);
}

TEST_CASE("a task that somebody holds stays his, and hears of the result when he completes it")
{
    const installation on;
    workbench bench{on};
    const waiting one = start_waiting(bench, "one");
    bench.signal("one");
    const workflow_task held = bench.claim_one();
    CHECK_FALSE(bench.complete(eager(one)).claimed);
    // Whoever looks finds out.
    CHECK_FALSE(bench.announcements.confirmed.back().workflow_queues.at(0).due);
    const workflow_completed outcome = bench.complete(workbench::completion(held));
    CHECK(outcome.more);
    CHECK(outcome.arrived.size() == 1);
}

TEST_CASE("a task whose lease has ended is claimed along with a result, as by whoever looks")
{
    const installation on;
    workbench bench{on};
    const waiting one = start_waiting(bench, "one");
    bench.signal("one");
    const workflow_task lost = bench.claim_one();
    bench.execute("update {schema}.workflow_tasks set visible_at = now() - interval '1 second'");
    const activity_completed outcome = bench.complete(eager(one));
    REQUIRE(outcome.claimed);
    CHECK(outcome.claimed->attempt == 2);
    CHECK(outcome.claimed->arrived.size() == 2);
    CHECK(bench.complete(workbench::completion(lost)).status == completion_status::lease_lost);
}

TEST_CASE("who has an older live coroutine claims nothing, and the task is for anybody")
{
    const installation on;
    workbench bench{on};
    const waiting one = start_waiting(bench, "one");
    bench.signal("one");
    bench.complete(workbench::completion(bench.claim_one()));
    CHECK_FALSE(bench.complete(eager(one)).claimed);
    const announcement told = bench.announcements.confirmed.back();
    REQUIRE(told.workflow_queues.size() == 1);
    CHECK_FALSE(told.workflow_queues[0].due); // it may be claimed now
    CHECK(bench.claim_one().arrived.size() == 1);
}

TEST_CASE("a backlog is not read before a result's commit")
{
    const installation on;
    workbench bench{on};
    const waiting one = start_waiting(bench, "one");
    const waiting two = start_waiting(bench, "two");
    std::vector<signal_request> many(199);
    for (std::size_t i = 0; i < many.size(); ++i) {
        many[i].id = i < 99 ? "one" : "two";
        many[i].name = "s";
        many[i].data = text("1");
        many[i].key = draw_key();
    }
    bench.wait(bench.store.signal(many));
    const activity_completed outcome = bench.complete(eager(one));
    REQUIRE(outcome.claimed);
    CHECK(outcome.claimed->arrived.size() == 100);
    CHECK_FALSE(bench.complete(eager(two)).claimed);
    CHECK(bench.claim_one().arrived.size() == 101);
}

TEST_CASE("a claim under way is waited for, and keeps the task")
{
    const installation on;
    workbench bench{on};
    const waiting one = start_waiting(bench, "one");
    bench.signal("one");
    bench.run([&]() -> asio::awaitable<void> {
        by_hand claims = co_await by_hand::connect(on);
        by_hand watches = co_await by_hand::connect(on);
        co_await claims("begin");
        co_await claims(
            "update {schema}.workflow_tasks set token = 7, visible_at = now() + interval '1 hour'");
        std::vector<activity_completion> results{eager(one)};
        const auto stored = spawn(bench.io, bench.store.complete(std::move(results)));
        co_await watches.until_blocked();
        co_await claims("commit");
        co_await test::wait_until([&] { return stored->has_value(); });
        CHECK_FALSE((*stored)->at(0).claimed);
    });
    CHECK(bench.claim().empty());
}

TEST_CASE("a task that was given back with a delay keeps it, whoever brings a result")
{
    const installation on;
    workbench bench{on};
    const waiting one = start_waiting(bench, "one", 2);
    bench.signal("one");
    const workflow_task task = bench.claim_one();
    workflow_release back;
    back.instance = task.instance;
    back.queue = task.queue;
    back.token = task.token;
    back.delay = 1h;
    bench.wait(bench.store.release({back}));
    CHECK_FALSE(bench.complete(eager(one)).claimed);
    CHECK(bench.claim().empty());
    bench.execute("update {schema}.workflow_tasks set not_before = now(), visible_at = now()");
    const activity_completed outcome = bench.complete(eager(one, 1));
    REQUIRE(outcome.claimed);
    CHECK(outcome.claimed->arrived.size() == 3);
    CHECK(outcome.claimed->attempt == 2); // the one that was given back counts
}

TEST_CASE("what waits unclaimed, or for a timer, is claimed along with the result")
{
    const installation on;
    workbench bench{on};
    const waiting one = start_waiting(bench, "one");
    bench.signal("one");
    const activity_completed outcome = bench.complete(eager(one));
    REQUIRE(outcome.claimed);
    CHECK(outcome.claimed->arrived.size() == 2);
    CHECK(outcome.claimed->attempt == 1);
    CHECK(bench.claim().empty());

    bench.start("two");
    workflow_completion scheduled = workbench::scheduling(bench.claim_one());
    scheduled.next_timer = timestamp{4'000'000'000s};
    bench.complete(scheduled);
    const waiting two{bench.claim_activities(), scheduled.token};
    CHECK(bench.complete(eager(two)).claimed);
}

TEST_CASE("of several results of an instance in a batch the first one that claims has its task")
{
    const installation on;
    workbench bench{on};
    const waiting one = start_waiting(bench, "one", 3);
    const waiting other = start_waiting(bench, "two");
    const auto outcomes = bench.wait(bench.store.complete(std::vector<activity_completion>{
        workbench::completion(one.activities.at(2)), eager(one, 0), eager(one, 1),
        workbench::completion(other.activities.at(0))}));
    CHECK_FALSE(outcomes[0].claimed);
    REQUIRE(outcomes[1].claimed);
    CHECK(outcomes[1].claimed->arrived.size() == 3);
    CHECK_FALSE(outcomes[2].claimed);
    CHECK_FALSE(outcomes[3].claimed);
    const auto rest = bench.claim(); // for anybody
    REQUIRE(rest.size() == 1);
    CHECK(rest[0].id == "two");
}

TEST_CASE(
    "no task is claimed along with a result that nobody waits for or that was not the reporter's")
{
    const installation on;
    workbench bench{on};
    const waiting one = start_waiting(bench, "one", 2);
    activity_completion late = eager(one);
    late.token = draw_token();
    const activity_completed lost = bench.complete(late);
    CHECK(lost.status == completion_status::lease_lost);
    CHECK_FALSE(lost.claimed);
    CHECK(bench.claim().empty());
    bench.signal("one");
    bench.complete(workbench::finishing(bench.claim_one()));
    const activity_completed dropped = bench.complete(eager(one, 1));
    CHECK(dropped.dropped);
    CHECK_FALSE(dropped.claimed);
    CHECK(bench.count("workflow_tasks") == 0);
}

TEST_CASE("an attempt that is not the last claims no task")
{
    const installation on;
    workbench bench{on};
    const waiting one = start_waiting(bench, "one");
    const waiting two = start_waiting(bench, "two");
    bench.signal("one");
    activity_completion again = eager(one);
    again.outcome = activity_completion::outcome::retry;
    const auto outcomes = bench.wait(bench.store.complete(
        std::vector<activity_completion>{again, workbench::completion(two.activities.at(0))}));
    CHECK_FALSE(outcomes[0].claimed);
    CHECK(bench.claim().size() == 2);
}

TEST_CASE("a dropped result that would have claimed does not hide another one")
{
    const installation on;
    workbench bench{on};
    const waiting one = start_waiting(bench, "one", 2);
    bench.signal("one");
    workflow_completion withdraws = workbench::completion(bench.claim_one());
    withdraws.cancelled_activities = {one.activities.at(0).operation};
    bench.complete(withdraws);
    const auto outcomes = bench.wait(bench.store.complete(std::vector<activity_completion>{
        eager(one, 0), workbench::completion(one.activities.at(1))}));
    CHECK(outcomes[0].dropped);
    CHECK_FALSE(outcomes[0].claimed);
    CHECK_FALSE(bench.announcements.confirmed.back().workflow_queues.at(0).due);
    CHECK(bench.claim_one().arrived.size() == 1);
}
