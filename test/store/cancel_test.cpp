// Asking instances to end, and what becomes of activities that are not wanted any more.
#include "workbench.hpp"

#include <doctest/doctest.h>

using namespace perdure;
using namespace perdure::store;

namespace {

/// A completion that withdraws activities of earlier ones.
workflow_completion withdrawing(const workflow_task& task, std::vector<std::int32_t> operations)
{
    workflow_completion made = workbench::completion(task);
    for (const std::int32_t operation : operations)
        made.events.push_back(make_event(event_type::activity_cancelled, {}, {}, operation));
    made.cancelled_activities = std::move(operations);
    return made;
}

/// An instance with `activities` scheduled, whose workflow has been asked to end and is claimed.
workflow_task asked_to_end(workbench& bench, std::int32_t activities)
{
    bench.start("one");
    bench.complete(workbench::scheduling(bench.claim_one(), activities, "a"));
    CHECK(bench.cancel("one") == signal_status::delivered);
    return bench.claim_one();
}

} // namespace

TEST_CASE("cancelling an instance that does not exist fails with not_found")
{
    const installation on;
    workbench bench{on};
    CHECK(bench.cancel("nobody") == signal_status::not_found);
    bench.start_finished("done");
    CHECK(bench.cancel("done") == signal_status::not_found);
    CHECK(bench.count("inbox") == 0);
}

TEST_CASE("a cancellation shows up as the last new event")
{
    const installation on;
    workbench bench{on};
    bench.start("one");
    bench.signal("one");
    CHECK(bench.cancel("one") == signal_status::delivered);
    const workflow_task task = bench.claim_one();
    REQUIRE(task.arrived.size() == 2);
    const event& last = task.arrived.back().event;
    CHECK(last.type == event_type::cancel_requested);
    CHECK(last.operation == 0);
    CHECK(last.name.empty());
    CHECK(last.data.text() == "null");
}

TEST_CASE("a request to cancel that repeats its key is delivered once, another one again")
{
    const installation on;
    workbench bench{on};
    bench.start("one");
    cancel_request request;
    request.id = "one";
    request.key = draw_key();
    const auto twice = bench.wait(bench.store.cancel({request, request}));
    CHECK(twice.at(0).status == signal_status::delivered);
    CHECK(twice.at(1).status == signal_status::repeated);
    CHECK(bench.wait(bench.store.cancel({request})).at(0).status == signal_status::repeated);
    CHECK(bench.cancel("one") == signal_status::delivered);
    CHECK(bench.claim_one().arrived.size() == 2);
}

TEST_CASE("a request to cancel wakes an instance that sleeps, and is announced")
{
    const installation on;
    workbench bench{on};
    bench.start("one", "sleepers");
    workflow_completion asleep = workbench::completion(bench.claim_one("sleepers"));
    asleep.next_timer = timestamp{4'000'000'000s};
    bench.complete(asleep);
    CHECK(bench.claim("sleepers").empty());
    CHECK(bench.cancel("one") == signal_status::delivered);
    CHECK(bench.announcements.confirmed.back().workflow_queues.at(0).queue == "sleepers");
    CHECK(bench.claim("sleepers").size() == 1);
}

TEST_CASE("an instance that its cancellation ended says so, in its state, the list and its result")
{
    const installation on;
    workbench bench{on};
    const instance_key key = bench.start_finished("one", finish::kind::cancelled);
    bench.start_finished("two", finish::kind::failed);
    const auto state = bench.wait(bench.store.state("one"));
    CHECK(state->status == instance_status::cancelled);
    CHECK(state->finished_at);
    CHECK(bench.wait(bench.store.state(key))->status == instance_status::cancelled);
    list_request wanted;
    wanted.status = instance_status::cancelled;
    const auto cancelled = bench.wait(bench.store.list(wanted));
    REQUIRE(cancelled.size() == 1);
    CHECK(cancelled[0].id == "one");
    wanted.status = instance_status::failed;
    const auto failed = bench.wait(bench.store.list(wanted));
    REQUIRE(failed.size() == 1);
    CHECK(failed[0].id == "two");
    const auto results = bench.wait(bench.store.results({key}));
    REQUIRE(results.size() == 1);
    CHECK(results[0].kind == finish::kind::cancelled);
    CHECK(results[0].data.text() == "\"end\"");
}

TEST_CASE("to a version that knows no cancellation a cancelled instance has failed")
{
    const installation on;
    workbench bench{on};
    bench.start_finished("one", finish::kind::cancelled);
    CHECK(bench.value<std::int16_t>("select state from {schema}.instances") == 2);
}

TEST_CASE("an activity that is withdrawn before a worker has it never runs, the others do")
{
    const installation on;
    workbench bench{on};
    const workflow_task task = asked_to_end(bench, 3);
    CHECK(bench.complete(withdrawing(task, {1, 3})).status == completion_status::confirmed);
    const auto left = bench.claim_activities("a");
    REQUIRE(left.size() == 1);
    CHECK(left[0].operation == 2);
}

TEST_CASE("an activity that is withdrawn while it runs learns of it with its next extension")
{
    const installation on;
    workbench bench{on};
    const workflow_task task = asked_to_end(bench, 2);
    const auto running = bench.claim_activities("a");
    REQUIRE(running.size() == 2);
    std::vector<activity_lease> leases;
    for (const activity_task& each : running)
        leases.push_back({each.instance, each.id, each.token});
    CHECK(
        bench.wait(bench.store.extend(leases, 10s)) ==
        std::vector{extension::held, extension::held});
    bench.complete(withdrawing(task, {running[1].operation}));
    CHECK(
        bench.wait(bench.store.extend(leases, 10s)) ==
        std::vector{extension::held, extension::cancelled});
}

TEST_CASE("whatever a withdrawn activity comes to is acknowledged and dropped, and its row goes")
{
    const installation on;
    workbench bench{on};
    using outcome = enum activity_completion::outcome;
    for (const outcome how :
         {outcome::completed, outcome::failed, outcome::retry, outcome::release}) {
        CAPTURE(static_cast<int>(how));
        const workflow_task task = asked_to_end(bench, 1);
        activity_completion report = workbench::completion(bench.claim_activities("a").at(0));
        report.outcome = how;
        bench.complete(withdrawing(task, {1}));
        const activity_completed done = bench.complete(report);
        CHECK(done.status == completion_status::confirmed);
        CHECK(done.dropped);
        CHECK(bench.count("activity_tasks") == 0);
        CHECK(bench.count("inbox") == 0);
        CHECK(bench.count("workflow_tasks") == 0);
        CHECK(bench.complete(report).status == completion_status::lease_lost);
        bench.execute("update {schema}.instances set ended = k, state = 1 where ended = 0");
    }
}

TEST_CASE("a withdrawn activity whose worker died is not run again")
{
    const installation on;
    workbench bench{on};
    const workflow_task task = asked_to_end(bench, 1);
    CHECK(bench.claim_activities("a", 10, 0ms).size() == 1); // a lease that has ended already
    bench.complete(withdrawing(task, {1}));
    CHECK(bench.count("activity_tasks") == 1);
    CHECK(bench.claim_activities("a").empty());
    CHECK(bench.count("activity_tasks") == 0);
}

TEST_CASE("a cancellation that a run did not see is carried into the next")
{
    const installation on;
    workbench bench{on};
    bench.start("one");
    bench.cancel("one");
    workflow_completion made = workbench::finishing(bench.claim_one(), finish::kind::continued);
    made.finish->carried.push_back(make_event(event_type::cancel_requested, {}, "null"));
    CHECK(bench.complete(made).status == completion_status::confirmed);
    const auto history = bench.wait(bench.store.history("one", 2));
    REQUIRE(history.size() == 2);
    CHECK(history[1].type == event_type::cancel_requested);
}

TEST_CASE("withdrawing ten thousand activities is one quick statement")
{
    const installation on;
    workbench bench{on};
    const workflow_task task = asked_to_end(bench, 10'000);
    std::vector<std::int32_t> all;
    for (std::int32_t i = 1; i <= 10'000; ++i) all.push_back(i);
    CHECK(bench.complete(withdrawing(task, all)).status == completion_status::confirmed);
    CHECK(bench.count("activity_tasks") == 0);
}
