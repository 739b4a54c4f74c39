// Completing workflow tasks: what is stored, what becomes of the task, and who may.
#include "workbench.hpp"

#include <doctest/doctest.h>

using namespace perdure;
using namespace perdure::store;

TEST_CASE("completing twice fails the second time with lease_lost")
{
    const installation on;
    workbench bench{on};
    bench.start("one");
    const workflow_completion once = workbench::completion(bench.claim_one());
    CHECK(bench.complete(once).status == completion_status::confirmed);
    CHECK(bench.complete(once).status == completion_status::lease_lost);
    CHECK(bench.wait(bench.store.state("one"))->history_length == 2);
}

TEST_CASE("a task that is completed twice in one batch is completed once")
{
    const installation on;
    workbench bench{on};
    bench.start("one");
    const workflow_completion once = workbench::completion(bench.claim_one());
    const auto outcomes =
        bench.wait(bench.store.complete(std::vector<workflow_completion>{once, once}));
    CHECK(outcomes[0].status == completion_status::confirmed);
    CHECK(outcomes[1].status == completion_status::lease_lost);
    CHECK(bench.wait(bench.store.state("one"))->history_length == 2);
}

TEST_CASE("after completion the history equals the events, in order: ids, types, attributes")
{
    const installation on;
    workbench bench{on};
    bench.start("one");
    workflow_completion done = workbench::scheduling(bench.claim_one(), 2);
    event timer = make_event(event_type::timer_started, {}, {}, 3);
    timer.due = timestamp{1'800'000'000'123'456us};
    done.events.push_back(timer);
    event effect = make_event(event_type::side_effect, {}, "{\"x\":9007199254740993}", 4);
    done.events.push_back(effect);
    event odd = make_event(event_type::side_effect, {}, {}, 5);
    const std::vector<std::byte> raw{std::byte{0}, std::byte{255}, std::byte{39}, std::byte{92}};
    odd.data = payload::from_bytes(raw);
    done.events.push_back(odd);
    CHECK(bench.complete(done).status == completion_status::confirmed);
    const std::vector<event> history = bench.wait(bench.store.history("one"));
    REQUIRE(history.size() == 1 + done.events.size());
    for (std::size_t i = 0; i < done.events.size(); ++i) {
        CAPTURE(i);
        CHECK(history[i + 1] == done.events[i]);
    }
    CHECK(
        bench.wait(bench.store.load_history(done.instance, 1, {5, {}})).size() ==
        history.size() - 5);
    std::size_t bytes = 0;
    for (const event& each : history) bytes += each.data.size();
    CHECK(bench.wait(bench.store.state("one"))->history_bytes == static_cast<std::int64_t>(bytes));
}

TEST_CASE("completing with a final state sets the completion time and leaves no task")
{
    const installation on;
    workbench bench{on};
    bench.start("good");
    CHECK(
        bench.complete(workbench::finishing(bench.claim_one())).status ==
        completion_status::confirmed);
    const auto good = bench.wait(bench.store.state("good"));
    CHECK(good->status == instance_status::completed);
    REQUIRE(good->finished_at);
    CHECK(*good->finished_at >= good->created_at);
    bench.start("bad");
    bench.complete(workbench::finishing(bench.claim_one(), finish::kind::failed));
    CHECK(bench.wait(bench.store.state("bad"))->status == instance_status::failed);
    CHECK(bench.count("workflow_tasks") == 0);
    CHECK(bench.count("activity_tasks") == 0);
}

TEST_CASE("a stale worker's completion is refused with lease_lost, and changes nothing")
{
    const installation on;
    workbench bench{on};
    bench.start("one");
    const workflow_task stale = bench.claim_one("q", 0ms);
    const workflow_task fresh = bench.claim_one();
    CHECK(bench.complete(workbench::finishing(stale)).status == completion_status::lease_lost);
    const auto state = bench.wait(bench.store.state("one"));
    CHECK(state->status == instance_status::running);
    CHECK(state->history_length == 1);
    CHECK(bench.complete(workbench::finishing(fresh)).status == completion_status::confirmed);
}

TEST_CASE("a completion whose lease ended is good as long as nobody else has claimed the task")
{
    const installation on;
    workbench bench{on};
    bench.start("one");
    const workflow_task late = bench.claim_one("q", 0ms);
    CHECK(bench.complete(workbench::finishing(late)).status == completion_status::confirmed);
}

TEST_CASE("a completion that expects another history length is refused")
{
    const installation on;
    workbench bench{on};
    bench.start("one");
    workflow_completion wrong = workbench::completion(bench.claim_one());
    wrong.history_length = 2;
    CHECK(bench.complete(wrong).status == completion_status::lease_lost);
    CHECK(bench.count("history") == 1);
}

TEST_CASE("a task without anything to do goes; one with a timer sleeps until it is due")
{
    const installation on;
    workbench bench{on};
    bench.start("parked");
    CHECK_FALSE(bench.complete(workbench::completion(bench.claim_one())).more);
    CHECK(bench.count("workflow_tasks") == 0);

    bench.start("sleeping");
    workflow_completion sleeping = workbench::completion(bench.claim_one());
    sleeping.next_timer = bench.value<timestamp>("select clock_timestamp() + interval '100 ms'");
    CHECK_FALSE(bench.complete(sleeping).more);
    CHECK(bench.claim().empty());
    bench.run([&]() -> asio::awaitable<void> {
        for (;;) {
            const auto looked = co_await bench.store.claim_workflow_tasks(workbench::asking("q"));
            if (looked.tasks.empty()) {
                CHECK(looked.next_due == sleeping.next_timer);
                continue;
            }
            CHECK(looked.now >= *sleeping.next_timer);
            CHECK(looked.tasks[0].attempt == 1);
            CHECK(looked.tasks[0].last_token == sleeping.token);
            CHECK(looked.tasks[0].history.empty());
            break;
        }
    });
}

TEST_CASE("an event that arrives while the task runs keeps it claimed, under the next token")
{
    const installation on;
    workbench bench{on};
    bench.start("one");
    workflow_task task = bench.claim_one();
    CHECK(bench.signal("one", "first") == signal_status::delivered);
    const workflow_completion first = workbench::completion(task);
    const workflow_completed outcome = bench.complete(first);
    CHECK(outcome.status == completion_status::confirmed);
    REQUIRE(outcome.more);
    REQUIRE(outcome.arrived.size() == 1);
    CHECK(outcome.arrived[0].number == 1);
    CHECK(outcome.arrived[0].event.name == "first");
    CHECK(outcome.now > timestamp{});
    CHECK(bench.claim().empty());

    task.token = first.next_token;
    task.history_length += static_cast<std::int32_t>(first.events.size());
    task.arrived = outcome.arrived;
    const workflow_completed second = bench.complete(workbench::completion(task));
    CHECK(second.status == completion_status::confirmed);
    CHECK_FALSE(second.more);
    CHECK(bench.count("inbox") == 0);
    CHECK(bench.count("workflow_tasks") == 0);
    CHECK(bench.wait(bench.store.state("one"))->pending_events == 0);
}

TEST_CASE("finishing removes the activities that are free and marks those that run")
{
    const installation on;
    workbench bench{on};
    const instance_key key = bench.start("one");
    bench.complete(workbench::scheduling(bench.claim_one(), 3));
    const activity_task running = bench.claim_activities("q", 1).at(0);
    bench.signal("one");
    CHECK(
        bench.complete(workbench::finishing(bench.claim_one())).status ==
        completion_status::confirmed);
    CHECK(bench.count("activity_tasks") == 1);
    CHECK(bench.value<bool>("select cancelled from {schema}.activity_tasks"));
    CHECK(bench.claim_activities().empty());

    SUBCASE("the running one's result is acknowledged and dropped")
    {
        const activity_completed outcome = bench.complete(workbench::completion(running));
        CHECK(outcome.status == completion_status::confirmed);
        CHECK(outcome.dropped);
        CHECK(bench.count("activity_tasks") == 0);
        CHECK(bench.count("inbox") == 0);
        CHECK(bench.count("workflow_tasks") == 0);
        CHECK(bench.wait(bench.store.state(key))->pending_events == 0);
    }
    SUBCASE("so is its wish for another attempt")
    {
        activity_completion again = workbench::completion(running);
        again.outcome = activity_completion::outcome::retry;
        CHECK(bench.complete(again).status == completion_status::confirmed);
        CHECK(bench.count("activity_tasks") == 0);
    }
    SUBCASE("it goes when its lease has ended, and is not run again")
    {
        bench.execute("update {schema}.activity_tasks set visible_at = now() - interval '1 s'");
        CHECK(bench.claim_activities().empty());
        CHECK(bench.count("activity_tasks") == 0);
    }
}

TEST_CASE("an instance that continues as new keeps its row and its signals, and runs again at once")
{
    const installation on;
    workbench bench{on};
    const instance_key key = bench.start("one");
    bench.complete(workbench::scheduling(bench.claim_one(), 2));
    const activity_task old = bench.claim_activities("q", 1).at(0);
    bench.signal("one", "before");
    const workflow_task task = bench.claim_one();
    bench.signal("one", "during");
    const workflow_completed outcome =
        bench.complete(workbench::finishing(task, finish::kind::continued));
    CHECK(outcome.status == completion_status::confirmed);
    CHECK_FALSE(outcome.more);

    const auto state = bench.wait(bench.store.state("one"));
    CHECK(state->instance == key);
    CHECK(state->status == instance_status::running);
    CHECK(state->run == 2);
    CHECK(state->workflow == "w2");
    CHECK(state->history_length == 1);
    CHECK(state->history_bytes == 3);
    CHECK(bench.wait(bench.store.history("one", 1)).size() == 7);

    const workflow_task next = bench.claim_one();
    CHECK(next.run == 2);
    CHECK(next.workflow == "w2");
    REQUIRE(next.arrived.size() == 1);
    CHECK(next.arrived[0].event.name == "during");
    const auto history = bench.wait(bench.store.load_history(key, 2));
    REQUIRE(history.size() == 1);
    CHECK(history[0].type == event_type::workflow_started);
    CHECK(history[0].data == text("[2]"));

    // The free activity of the first run is gone; the result of the one that runs is dropped.
    CHECK(bench.claim_activities().empty());
    CHECK(bench.complete(workbench::completion(old)).status == completion_status::confirmed);
    CHECK(bench.wait(bench.store.state("one"))->pending_events == 1);
    CHECK(bench.complete(workbench::finishing(next)).status == completion_status::confirmed);
    CHECK(bench.count("inbox") == 0);
}

TEST_CASE("the results that an old run did not look at do not reach the next")
{
    const installation on;
    workbench bench{on};
    bench.start("one");
    bench.complete(workbench::scheduling(bench.claim_one(), 1));
    const activity_task activity = bench.claim_activities().at(0);
    bench.signal("one");
    const workflow_task task = bench.claim_one();
    bench.complete(workbench::completion(activity));
    bench.complete(workbench::finishing(task, finish::kind::continued));
    const workflow_task next = bench.claim_one();
    CHECK(next.arrived.empty());
    CHECK_FALSE(bench.complete(workbench::completion(next)).more);
    CHECK(bench.wait(bench.store.state("one"))->pending_events == 0);
}

TEST_CASE("a released task comes back after its delay and says what was wrong until it gets on")
{
    const installation on;
    workbench bench{on};
    bench.start("one");
    const workflow_task task = bench.claim_one();
    workflow_release back;
    back.instance = task.instance;
    back.queue = task.queue;
    back.token = task.token;
    back.problem = "nobody implements workflow \"w\"";
    back.count_attempt = false;
    CHECK(bench.wait(bench.store.release({back})).at(0) == completion_status::confirmed);
    CHECK(bench.wait(bench.store.release({back})).at(0) == completion_status::lease_lost);
    CHECK(bench.wait(bench.store.state("one"))->problem == back.problem);
    const workflow_task again = bench.claim_one();
    CHECK(again.attempt == 1);

    back.token = again.token;
    back.delay = 1h;
    back.count_attempt = true;
    CHECK(bench.wait(bench.store.release({back})).at(0) == completion_status::confirmed);
    CHECK(bench.claim().empty());
    CHECK(bench.signal("one") == signal_status::delivered); // would meet the same problem
    CHECK(bench.claim().empty());
    bench.execute("update {schema}.workflow_tasks set visible_at = now()"); // the hour has passed
    const workflow_task third = bench.claim_one();
    CHECK(third.attempt == 2);
    CHECK(third.arrived.size() == 1);
    bench.complete(workbench::completion(third));
    CHECK(bench.wait(bench.store.state("one"))->problem.empty());
}

TEST_CASE("what the server refuses fails its own task, in the server's words, and no other")
{
    const installation on;
    workbench bench{on};
    std::vector<workflow_completion> batch;
    for (int i = 0; i < 5; ++i) bench.start(std::to_string(i));
    for (const workflow_task& task : bench.claim()) batch.push_back(workbench::completion(task));
    batch[3].events[0].name = std::string{"nul\0byte", 8};
    const auto outcomes = bench.wait(bench.store.complete(batch));
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
        CAPTURE(i);
        CHECK(
            outcomes[i].status ==
            (i == 3 ? completion_status::rejected : completion_status::confirmed));
    }
    CHECK(outcomes[3].reason.find("invalid byte sequence") != std::string::npos);
    CHECK(bench.count("workflow_tasks") == 1);

    bench.complete(workbench::scheduling(
        [&] {
            bench.start("with-activity");
            return bench.claim_one();
        }(),
        2));
    const auto tasks = bench.claim_activities();
    std::vector<activity_completion> results;
    for (const activity_task& task : tasks) results.push_back(workbench::completion(task));
    results[0].name = "\xff";
    const auto activity_outcomes = bench.wait(bench.store.complete(results));
    CHECK(activity_outcomes[0].status == completion_status::rejected);
    CHECK_FALSE(activity_outcomes[0].reason.empty());
    CHECK(activity_outcomes[1].status == completion_status::confirmed);
}
