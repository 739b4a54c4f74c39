// Activities: where they are claimed, what becomes of their attempts, and how their results arrive.
#include "workbench.hpp"

#include <doctest/doctest.h>

using namespace perdure;
using namespace perdure::store;

namespace {

/// That it is the first attempt of instance "one"'s operation, as the completion scheduled it.
void check_claimed(
    const activity_task& task, const workflow_completion& done, instance_key key,
    std::int32_t operation)
{
    CHECK(task.instance == key);
    CHECK(task.instance_id == "one");
    CHECK(task.workflow_queue == "workflows");
    CHECK(task.queue == "gpu");
    CHECK(task.name == "a");
    CHECK(task.run == 1);
    CHECK(task.operation == operation);
    CHECK(task.attempt == 1);
    CHECK(task.arguments == text("[7]"));
    CHECK(task.options == done.activities.at(static_cast<std::size_t>(operation - 1)).options);
}

} // namespace

TEST_CASE("a result that nobody looked at before the instance finished goes with it")
{
    const installation on;
    workbench bench{on};
    bench.start("one");
    bench.complete(workbench::scheduling(bench.claim_one(), 1));
    const activity_task activity = bench.claim_activities().at(0);
    bench.signal("one");
    const workflow_task task = bench.claim_one();
    CHECK(bench.complete(workbench::completion(activity)).status == completion_status::confirmed);
    CHECK(bench.count("inbox") == 2);
    const workflow_completed outcome = bench.complete(workbench::finishing(task));
    CHECK(outcome.status == completion_status::confirmed);
    CHECK_FALSE(outcome.more);
    CHECK(bench.count("inbox") == 0);
}

TEST_CASE("an activity is claimable on its own queue only")
{
    const installation on;
    workbench bench{on};
    const instance_key key = bench.start("one", "workflows");
    workflow_completion done = workbench::scheduling(bench.claim_one("workflows"), 1, "gpu");
    done.activities[0]
        .options.start_to_close(1234ms)
        .attempts(7)
        .initial_interval(11ms)
        .backoff_coefficient(1.5)
        .maximum_interval(99s);
    bench.complete(done);
    CHECK(bench.claim_activities("workflows").empty());
    const auto tasks = bench.claim_activities("gpu");
    REQUIRE(tasks.size() == 1);
    const activity_task& task = tasks[0];
    check_claimed(task, done, key, 1);
    CHECK(bench.claim_activities("gpu").empty());
}

TEST_CASE("an activity can be claimed as it is scheduled, and is a claim like any other")
{
    const installation on;
    workbench bench{on};
    const instance_key key = bench.start("one", "workflows");
    workflow_completion done = workbench::scheduling(bench.claim_one("workflows"), 3, "gpu");
    done.activities[2].options.start_to_close(1234ms).attempts(7);
    done.eager = {0, 2};
    done.eager_token = draw_token();
    done.lease = 300ms;
    const workflow_completed outcome = bench.complete(done);
    REQUIRE(outcome.claimed.size() == 2);
    const activity_task& task = outcome.claimed[1];
    check_claimed(task, done, key, 3);
    CHECK(task.token == done.eager_token);

    const auto others = bench.claim_activities("gpu");
    REQUIRE(others.size() == 1);
    CHECK(others[0].operation == 2);
    CHECK(
        bench.complete(workbench::completion(outcome.claimed[0])).status ==
        completion_status::confirmed);

    std::vector<activity_task> taken_over;
    const auto end = std::chrono::steady_clock::now() + test::deadline;
    while (taken_over.empty() && std::chrono::steady_clock::now() < end)
        taken_over = bench.claim_activities("gpu");
    CHECK(taken_over.at(0).operation == 3);
    CHECK(taken_over[0].attempt == 2);
    CHECK(bench.complete(workbench::completion(task)).status == completion_status::lease_lost);
}

TEST_CASE("nothing is claimed along with a completion that was not the reporter's to make")
{
    const installation on;
    workbench bench{on};
    bench.start("one");
    workflow_completion late = workbench::scheduling(bench.claim_one(), 1);
    late.eager = {0};
    late.eager_token = draw_token();
    late.token = draw_token();
    const workflow_completed outcome = bench.complete(late);
    CHECK(outcome.status == completion_status::lease_lost);
    CHECK(outcome.claimed.empty());
    CHECK(bench.count("activity_tasks") == 0);
}

TEST_CASE("completing an activity on one queue delivers its result on the workflow's own queue")
{
    const installation on;
    workbench bench{on};
    bench.start("one", "workflows");
    bench.complete(workbench::scheduling(bench.claim_one("workflows"), 2, "gpu"));
    auto tasks = bench.claim_activities("gpu");
    CHECK(
        bench.complete(workbench::completion(tasks.at(0))).status == completion_status::confirmed);
    activity_completion failed = workbench::completion(tasks.at(1));
    failed.outcome = activity_completion::outcome::failed;
    failed.data = text("{\"type\":\"t\"}");
    CHECK(bench.complete(failed).status == completion_status::confirmed);
    CHECK(bench.count("activity_tasks") == 0);
    CHECK(bench.claim("gpu").empty());
    const workflow_task task = bench.claim_one("workflows");
    REQUIRE(task.arrived.size() == 2);
    CHECK(task.arrived[0].event.type == event_type::activity_completed);
    CHECK(task.arrived[0].event.operation == tasks[0].operation);
    CHECK(task.arrived[0].event.name == "a");
    CHECK(task.arrived[0].event.data == text("42"));
    CHECK(task.arrived[0].event.at > timestamp{});
    CHECK(task.arrived[1].event.type == event_type::activity_failed);
    CHECK(task.arrived[1].event.data == failed.data);
    CHECK(task.history.empty()); // it had completed a task before
}

TEST_CASE("an activity is retried after its delay, and the attempt counts up")
{
    const installation on;
    workbench bench{on};
    bench.start("one");
    bench.complete(workbench::scheduling(bench.claim_one(), 1));
    activity_completion again = workbench::completion(bench.claim_activities().at(0));
    again.outcome = activity_completion::outcome::retry;
    CHECK(bench.complete(again).status == completion_status::confirmed);
    const activity_task second = bench.claim_activities().at(0);
    CHECK(second.attempt == 2);

    activity_completion later = workbench::completion(second);
    later.outcome = activity_completion::outcome::retry;
    later.delay = 1h;
    CHECK(bench.complete(later).status == completion_status::confirmed);
    const auto looked = bench.wait(bench.store.claim_activity_tasks(workbench::asking("q")));
    CHECK(looked.tasks.empty());
    REQUIRE(looked.next_due);
    CHECK(*looked.next_due > looked.now + 59min);
}

TEST_CASE("an activity that is released was not attempted, and its instance says why")
{
    const installation on;
    workbench bench{on};
    bench.start("one");
    bench.complete(workbench::scheduling(bench.claim_one(), 1));
    activity_completion back = workbench::completion(bench.claim_activities().at(0));
    back.outcome = activity_completion::outcome::release;
    back.problem = "nobody implements activity \"a\"";
    CHECK(bench.complete(back).status == completion_status::confirmed);
    CHECK(bench.wait(bench.store.state("one"))->problem == back.problem);
    CHECK(bench.claim_activities().at(0).attempt == 1);
}

TEST_CASE("a stale worker's activity result is refused with lease_lost")
{
    const installation on;
    workbench bench{on};
    bench.start("one");
    bench.complete(workbench::scheduling(bench.claim_one(), 1));
    const activity_task stale = bench.claim_activities("q", 1, 0ms).at(0);
    const activity_task fresh = bench.claim_activities().at(0);
    CHECK(fresh.attempt == 2);
    CHECK(bench.complete(workbench::completion(stale)).status == completion_status::lease_lost);
    CHECK(bench.count("inbox") == 0);
    CHECK(bench.complete(workbench::completion(fresh)).status == completion_status::confirmed);
    CHECK(bench.complete(workbench::completion(fresh)).status == completion_status::lease_lost);
    CHECK(bench.count("inbox") == 1);
}

TEST_CASE("an activity that is completed twice in one batch delivers its result once")
{
    const installation on;
    workbench bench{on};
    bench.start("one");
    bench.complete(workbench::scheduling(bench.claim_one()));
    const activity_completion once = workbench::completion(bench.claim_activities().at(0));
    const auto outcomes =
        bench.wait(bench.store.complete(std::vector<activity_completion>{once, once}));
    CHECK(outcomes[0].status == completion_status::confirmed);
    CHECK(outcomes[1].status == completion_status::lease_lost);
    CHECK(bench.claim_one().arrived.size() == 1);
}

TEST_CASE("leases of activities are extended by instance, id and token")
{
    const installation on;
    workbench bench{on};
    bench.start("one");
    bench.complete(workbench::scheduling(bench.claim_one(), 2));
    const auto tasks = bench.claim_activities("q", 10, 0ms);
    REQUIRE(tasks.size() == 2);
    const std::vector<activity_lease> leases{
        {tasks[1].instance, tasks[1].id, tasks[1].token},
        {tasks[0].instance, tasks[0].id, draw_token()},
        {tasks[0].instance, tasks[0].id, tasks[0].token}};
    const auto extended = bench.wait(bench.store.extend(leases, 10s));
    CHECK(extended == std::vector{extension::held, extension::lost, extension::held});
    CHECK(bench.claim_activities().empty());
}

TEST_CASE("an activity with options that make no sense says so, and the others can be run")
{
    const installation on;
    workbench bench{on};
    bench.start("one");
    bench.complete(workbench::scheduling(bench.claim_one(), 2));
    bench.execute("update {schema}.activity_tasks set start_to_close = -1 where operation = 1");
    const auto tasks = bench.claim_activities();
    REQUIRE(tasks.size() == 2);
    for (const activity_task& task : tasks) CHECK(task.problem.empty() == (task.operation == 2));
}
