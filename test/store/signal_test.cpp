// Signals: delivered in order, once, or refused; never swallowed.
#include "workbench.hpp"

#include <doctest/doctest.h>

#include <thread>

using namespace perdure;
using namespace perdure::store;

TEST_CASE("signalling an instance that does not exist fails with not_found")
{
    const installation on;
    workbench bench{on};
    CHECK(bench.signal("nobody") == signal_status::not_found);
    CHECK(bench.count("inbox") == 0);
    CHECK(bench.count("workflow_tasks") == 0);
}

TEST_CASE("signalling a finished instance fails with not_found")
{
    const installation on;
    workbench bench{on};
    bench.start("one");
    bench.complete(workbench::finishing(bench.claim_one()));
    CHECK(bench.signal("one") == signal_status::not_found);
    CHECK(bench.count("inbox") == 0);
}

TEST_CASE("a signal before the first task is there when it is claimed")
{
    const installation on;
    workbench bench{on};
    bench.start("one");
    CHECK(bench.signal("one", "approve", "true") == signal_status::delivered);
    const workflow_task task = bench.claim_one();
    REQUIRE(task.arrived.size() == 1);
    CHECK(task.arrived[0].event.type == event_type::signal_received);
    CHECK(task.arrived[0].event.name == "approve");
    CHECK(task.arrived[0].event.data == text("true"));
    CHECK(task.arrived[0].event.operation == 0);
}

TEST_CASE("a signal to a parked instance makes it claimable")
{
    const installation on;
    workbench bench{on};
    bench.start("one");
    workflow_completion parked = workbench::completion(bench.claim_one());
    SUBCASE("with nothing to wait for") {}
    SUBCASE("with a timer in an hour")
    {
        parked.next_timer = bench.value<timestamp>("select now() + interval '1 hour'");
    }
    bench.complete(parked);
    CHECK(bench.claim().empty());
    CHECK(bench.signal("one") == signal_status::delivered);
    CHECK(bench.claim_one().arrived.size() == 1);
}

TEST_CASE("a signal while the instance is being executed does not hand it to a second worker")
{
    const installation on;
    workbench bench{on};
    bench.start("one");
    const workflow_task task = bench.claim_one();
    CHECK(bench.signal("one") == signal_status::delivered);
    CHECK(bench.claim().empty());
    CHECK(bench.complete(workbench::completion(task)).more);
}

TEST_CASE("a signal in the commit in which its instance finishes is delivered or refused")
{
    const installation on;
    workbench sender{on};
    workbench bench{on};
    for (int round = 0; round < 20; ++round) {
        const std::string id = std::to_string(round);
        const instance_key key = bench.start(id);
        const workflow_task task = bench.claim_one();
        std::optional<signal_status> status;
        std::thread other{[&] { status = sender.signal(id); }};
        const workflow_completed outcome = bench.complete(workbench::finishing(task));
        other.join();
        CHECK(outcome.status == completion_status::confirmed);
        // Delivered: it arrived before the end. Refused: its sender knows.
        const auto arrived = bench.value<std::int64_t>(
            "select arrived from {schema}.instances where k = " +
            std::to_string(static_cast<std::int64_t>(key)));
        CHECK(arrived == (*status == signal_status::delivered ? 1 : 0));
    }
    CHECK(bench.count("workflow_tasks") == 0);
}

TEST_CASE("a signal that was not looked at goes with the end of its instance")
{
    const installation on;
    workbench bench{on};
    bench.start("one");
    const workflow_task task = bench.claim_one();
    CHECK(bench.signal("one") == signal_status::delivered);
    bench.complete(workbench::finishing(task));
    CHECK(bench.count("inbox") == 0);
    CHECK(bench.wait(bench.store.state("one"))->pending_events == 0);
}

TEST_CASE("a signal in the commit in which its instance continues as new reaches the next run")
{
    const installation on;
    workbench sender{on};
    workbench bench{on};
    bench.start("one");
    for (int round = 0; round < 20; ++round) {
        const workflow_task task = bench.claim_one();
        CHECK(task.run == round + 1);
        std::optional<signal_status> status;
        std::thread other{[&] { status = sender.signal("one"); }};
        CHECK(
            bench.complete(workbench::finishing(task, finish::kind::continued)).status ==
            completion_status::confirmed);
        other.join();
        CHECK(*status == signal_status::delivered);
    }
    CHECK(bench.claim_one().run == 21);
    // All but what the runs consumed is still there, so each signal was counted once.
    CHECK(bench.value<std::int64_t>("select arrived from {schema}.instances") == 20);
    CHECK(
        bench.value<std::int64_t>("select arrived - consumed from {schema}.instances") ==
        bench.count("inbox"));
}

TEST_CASE("a signal that repeats its key is delivered once, and remembered after the end")
{
    const installation on;
    workbench bench{on};
    bench.start("one");
    signal_request request;
    request.id = "one";
    request.name = "s";
    request.data = text("1");
    request.key = draw_key();
    const std::size_t sent = bench.announcements.led.size();
    const auto twice = bench.wait(bench.store.signal({request, request}));
    CHECK(twice.at(0).status == signal_status::delivered);
    CHECK(twice.at(1).status == signal_status::repeated);
    CHECK(bench.announcements.led.size() == sent + 1); // in one transaction
    CHECK(bench.wait(bench.store.signal({request})).at(0).status == signal_status::repeated);
    CHECK(bench.count("inbox") == 1);
    bench.complete(workbench::finishing(bench.claim_one()));
    CHECK(bench.wait(bench.store.signal({request})).at(0).status == signal_status::repeated);
    request.key = draw_key();
    CHECK(bench.wait(bench.store.signal({request})).at(0).status == signal_status::not_found);
}

TEST_CASE("ten thousand signals to one instance all arrive, in order")
{
    const installation on;
    workbench bench{on};
    bench.start("one");
    constexpr int signals = 10'000;
    std::vector<signal_request> batch;
    for (int i = 0; i < signals; ++i) {
        signal_request request;
        request.id = "one";
        request.name = "s";
        request.data = text(std::to_string(i));
        request.key = draw_key();
        batch.push_back(std::move(request));
    }
    for (const signalled& each : bench.wait(bench.store.signal(batch)))
        REQUIRE(each.status == signal_status::delivered);
    const workflow_task task = bench.claim_one();
    REQUIRE(task.arrived.size() == signals);
    for (int i = 0; i < signals; ++i) {
        const arrived_event& each = task.arrived[static_cast<std::size_t>(i)];
        REQUIRE(each.number == i + 1);
        REQUIRE(each.event.data.text() == std::to_string(i));
    }
    CHECK(bench.complete(workbench::completion(task)).status == completion_status::confirmed);
    CHECK(bench.wait(bench.store.state("one"))->history_length == 1 + signals + 1);
}

TEST_CASE("a batch of signals goes to many instances, and the unknown among them harm nobody")
{
    const installation on;
    workbench bench{on};
    for (int i = 0; i < 5; ++i) bench.start(std::to_string(i), i % 2 ? "odd" : "even");
    std::vector<signal_request> batch;
    for (int i = 9; i >= 0; --i) {
        signal_request request;
        request.id = std::to_string(i);
        request.name = "s";
        request.data = text("1");
        request.key = draw_key();
        batch.push_back(std::move(request));
    }
    const auto outcomes = bench.wait(bench.store.signal(batch));
    for (std::size_t i = 0; i < 10; ++i)
        CHECK(outcomes[i].status == (i < 5 ? signal_status::not_found : signal_status::delivered));
    for (const workflow_task& task : bench.claim("odd")) CHECK(task.arrived.size() == 1);
    for (const workflow_task& task : bench.claim("even")) CHECK(task.arrived.size() == 1);
}
