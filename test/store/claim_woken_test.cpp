// Workflow tasks that are claimed by whoever stores the result that wakes them.
#include "workbench.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <vector>

using namespace perdure;
using namespace perdure::store;

namespace {

/// Starts an instance that waits for activities, which are claimed.
std::vector<activity_task> start_waiting(
    workbench& bench, const std::string& id, std::int32_t activities = 1)
{
    bench.start(id);
    bench.complete(workbench::scheduling(bench.claim_one(), activities));
    return bench.claim_activities();
}

/// A result whose reporter goes on with the workflow.
activity_completion eager(const activity_task& task, std::chrono::milliseconds lease = 10s)
{
    activity_completion made = workbench::completion(task);
    made.eager_token = draw_token();
    made.lease = lease;
    return made;
}

} // namespace

TEST_CASE("a workflow task can be claimed along with the result that wakes it, and is a claim like "
          "any other")
{
    const installation on;
    workbench bench{on};
    const instance_key key = bench.start("one");
    workflow_completion scheduled = workbench::scheduling(bench.claim_one(), 2);
    bench.complete(scheduled);
    const auto activities = bench.claim_activities();
    const activity_completion result = eager(activities.at(0), 300ms);
    const activity_completed outcome = bench.complete(result);
    CHECK(outcome.status == completion_status::confirmed);
    REQUIRE(outcome.claimed);
    const workflow_task& task = *outcome.claimed;
    CHECK(task.instance == key);
    CHECK(task.id == "one");
    CHECK(task.workflow == "w");
    CHECK(task.queue == "q");
    CHECK(task.run == 1);
    CHECK(task.history_length == 1 + std::ssize(scheduled.events));
    CHECK(task.attempt == 1);
    CHECK(task.token == result.eager_token);
    CHECK(task.last_token == scheduled.token);
    REQUIRE(task.arrived.size() == 1);
    CHECK(task.arrived[0].number == 1);
    CHECK(task.arrived[0].event.type == event_type::activity_completed);
    CHECK(task.arrived[0].event.data == text("42"));
    CHECK(task.history.empty());
    CHECK(task.problem.empty());

    std::vector<workflow_task> taken_over;
    const auto end = std::chrono::steady_clock::now() + test::deadline;
    while (taken_over.empty() && std::chrono::steady_clock::now() < end) taken_over = bench.claim();
    CHECK(taken_over.at(0).attempt == 2);
    CHECK(bench.complete(workbench::completion(task)).status == completion_status::lease_lost);
    CHECK(
        bench.complete(workbench::completion(taken_over[0])).status ==
        completion_status::confirmed);

    const activity_completed last = bench.complete(eager(activities.at(1)));
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
    const auto activities = start_waiting(bench, "one");
    bench.signal("one");
    const workflow_task held = bench.claim_one();
    CHECK_FALSE(bench.complete(eager(activities.at(0))).claimed);
    const workflow_completed outcome = bench.complete(workbench::completion(held));
    CHECK(outcome.more);
    CHECK(outcome.arrived.size() == 1);
}

TEST_CASE("a task whose lease has ended unnoticed is left to whoever looks")
{
    const installation on;
    workbench bench{on};
    const auto activities = start_waiting(bench, "one");
    bench.signal("one");
    bench.claim_one();
    bench.execute("update {schema}.workflow_tasks set visible_at = now() - interval '1 second'");
    CHECK_FALSE(bench.complete(eager(activities.at(0))).claimed);
    CHECK(bench.claim_one().arrived.size() == 2);
}

TEST_CASE("a task that was given back with a delay keeps it, whoever brings a result")
{
    const installation on;
    workbench bench{on};
    const auto activities = start_waiting(bench, "one", 2);
    bench.signal("one");
    const workflow_task task = bench.claim_one();
    workflow_release back;
    back.instance = task.instance;
    back.queue = task.queue;
    back.token = task.token;
    back.delay = 1h;
    bench.wait(bench.store.release({back}));
    CHECK_FALSE(bench.complete(eager(activities.at(0))).claimed);
    CHECK(bench.claim().empty());
    bench.execute("update {schema}.workflow_tasks set not_before = now(), visible_at = now()");
    const activity_completed outcome = bench.complete(eager(activities.at(1)));
    REQUIRE(outcome.claimed);
    CHECK(outcome.claimed->arrived.size() == 3);
    CHECK(outcome.claimed->attempt == 2); // the one that was given back counts
}

TEST_CASE("what waits unclaimed, or for a timer, is claimed along with the result")
{
    const installation on;
    workbench bench{on};
    const auto activities = start_waiting(bench, "one");
    bench.signal("one");
    const activity_completed outcome = bench.complete(eager(activities.at(0)));
    REQUIRE(outcome.claimed);
    CHECK(outcome.claimed->arrived.size() == 2);
    CHECK(outcome.claimed->attempt == 1);
    CHECK(bench.claim().empty());

    bench.start("two");
    workflow_completion scheduled = workbench::scheduling(bench.claim_one());
    scheduled.next_timer = timestamp{4'000'000'000s};
    bench.complete(scheduled);
    const auto others = bench.claim_activities();
    CHECK(bench.complete(eager(others.at(0))).claimed);
}

TEST_CASE("of several results of an instance in a batch the first one has its task")
{
    const installation on;
    workbench bench{on};
    const auto two = start_waiting(bench, "one", 3);
    const auto other = start_waiting(bench, "two");
    const auto outcomes = bench.wait(bench.store.complete(std::vector<activity_completion>{
        workbench::completion(two.at(2)), eager(two.at(0)), eager(two.at(1)),
        workbench::completion(other.at(0))}));
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
    const auto activities = start_waiting(bench, "one", 2);
    activity_completion late = eager(activities.at(0));
    late.token = draw_token();
    const activity_completed lost = bench.complete(late);
    CHECK(lost.status == completion_status::lease_lost);
    CHECK_FALSE(lost.claimed);
    CHECK(bench.claim().empty());
    bench.signal("one");
    bench.complete(workbench::finishing(bench.claim_one()));
    const activity_completed dropped = bench.complete(eager(activities.at(1)));
    CHECK(dropped.dropped);
    CHECK_FALSE(dropped.claimed);
    CHECK(bench.count("workflow_tasks") == 0);
}

TEST_CASE("an attempt that is not the last claims no task")
{
    const installation on;
    workbench bench{on};
    const auto one = start_waiting(bench, "one", 2);
    const auto two = start_waiting(bench, "two");
    bench.signal("one");
    activity_completion again = eager(one.at(0));
    again.outcome = activity_completion::outcome::retry;
    const auto outcomes = bench.wait(bench.store.complete(
        std::vector<activity_completion>{again, workbench::completion(two.at(0))}));
    CHECK_FALSE(outcomes[0].claimed);
    CHECK(bench.claim().size() == 2);
}
