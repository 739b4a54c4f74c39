// The batch machine where somebody has locked an instance.
#include "batch_steps.hpp"

#include <doctest/doctest.h>

using namespace perdure::store;
using namespace std::chrono_literals;

TEST_CASE("items that a stranger has locked are found, and do not hold up the others")
{
    batch_machine machine = machine_of(4);
    expect_send(machine, {0, 1, 2, 3});
    machine.failed(batch_failure::locked);
    expect_probe(machine, {0, 1, 2, 3});
    machine.probed({true, false, true, false});
    expect_send(machine, {1, 3});
    machine.committed();
    CHECK(machine.outcome(3) == batch_outcome::confirmed);
    CHECK(machine.held_up());
    expect_wait(machine, 10ms);
    expect_probe(machine, {0, 2}); // a probe waits for nobody
    machine.probed({true, true});
    expect_wait(machine, 20ms);
    expect_probe(machine, {0, 2});
    machine.probed({true, false});
    expect_send(machine, {2});
    machine.committed();
    expect_wait(machine, 40ms);
    expect_probe(machine, {0});
    machine.probed({false});
    CHECK_FALSE(machine.held_up());
    expect_send(machine, {0});
    machine.committed();
    CHECK(machine.next().kind == kind::done);
}

TEST_CASE("a lock that the probe does not see is found by sending each item alone")
{
    const auto check = [](batch_machine machine) {
        for (std::size_t item = 0; item < 3; ++item) {
            expect_send(machine, {item});
            if (item == 0)
                machine.failed(batch_failure::locked);
            else
                machine.committed();
        }
        expect_wait(machine, 10ms);
    };
    SUBCASE("after a probe")
    {
        batch_machine machine = machine_of(3);
        expect_send(machine, {0, 1, 2});
        machine.failed(batch_failure::locked);
        expect_probe(machine, {0, 1, 2});
        machine.probed({false, false, false});
        expect_send(machine, {0, 1, 2});
        machine.failed(batch_failure::locked);
        check(std::move(machine));
    }
    SUBCASE("where nothing can be probed")
    {
        batch_limits limits;
        limits.probes = false;
        batch_machine machine = machine_of(3, limits);
        expect_send(machine, {0, 1, 2});
        machine.failed(batch_failure::locked);
        check(std::move(machine));
    }
}

TEST_CASE("with patience an item that stays locked is rejected, and the others are confirmed")
{
    batch_limits limits;
    limits.resolves = false;
    limits.patience = 10s;
    batch_machine machine = machine_of(2, limits);
    expect_send(machine, {0, 1});
    machine.failed(batch_failure::locked, 250ms);
    auto total = 250ms;
    batch_step step = machine.next();
    for (; step.kind != kind::reject; step = machine.next()) {
        REQUIRE(step.kind != kind::give_up);
        if (step.kind == kind::wait) total += step.pause;
        if (step.kind == kind::probe && step.items.size() == 2) machine.probed({true, false});
        if (step.kind == kind::probe && step.items.size() == 1) machine.probed({true});
        if (step.kind == kind::send) machine.committed();
    }
    CHECK(step.items == indices{0});
    CHECK(machine.outcome(0) == batch_outcome::rejected);
    CHECK(machine.outcome(1) == batch_outcome::confirmed);
    CHECK(total > 8s);
    CHECK(total <= 10s);
    CHECK(machine.next().kind == kind::done);
}

TEST_CASE("a stranger's lock on an instance in doubt does not hold up the others in doubt")
{
    batch_machine machine = machine_of(3);
    machine.next();
    machine.failed(batch_failure::unknown);
    CHECK(machine.next().items == indices{0, 1, 2});
    machine.failed(batch_failure::locked);
    expect_probe(machine, {0, 1, 2});
    machine.probed({false, true, false});
    batch_step step = machine.next();
    CHECK(step.kind == kind::resolve);
    CHECK(step.items == indices{0, 2});
    machine.resolved({true, true});
    CHECK(machine.held_up());
    expect_wait(machine, 10ms);
    expect_probe(machine, {1});
    machine.failed(batch_failure::unknown); // a probe changes nothing: the same doubt as before
    expect_probe(machine, {1});
    machine.probed({false});
    step = machine.next();
    CHECK(step.kind == kind::resolve);
    CHECK(step.items == indices{1});
    machine.resolved({true});
    CHECK(machine.next().kind == kind::done);
}

TEST_CASE("a probe that is cut off leaves nothing in doubt")
{
    batch_machine machine = machine_of(2);
    expect_send(machine, {0, 1});
    machine.failed(batch_failure::locked);
    expect_probe(machine, {0, 1});
    machine.failed(batch_failure::unknown);
    CHECK_FALSE(machine.in_doubt());
    expect_probe(machine, {0, 1});
    machine.probed({false, false});
    expect_send(machine, {0, 1});
    machine.committed();
    CHECK(machine.next().kind == kind::done);
}

TEST_CASE("with patience a database that goes away gives up at once only what is not in doubt")
{
    batch_limits limits;
    limits.items = 1;
    limits.resolves = false;
    limits.probes = false;
    limits.patience = 10s;
    batch_machine machine = machine_of(2, limits);
    expect_send(machine, {0});
    machine.failed(batch_failure::unknown);
    expect_send(machine, {0});
    machine.failed(batch_failure::locked);
    expect_send(machine, {1});
    machine.failed(batch_failure::unavailable);
    const batch_step step = machine.next();
    CHECK(step.kind == kind::reject);
    CHECK(step.items == indices{1});
    CHECK(machine.outcome(1) == batch_outcome::rejected);
    expect_wait(machine, 10ms);
    expect_send(machine, {0});
    machine.committed();
    CHECK(machine.next().kind == kind::done);
}
