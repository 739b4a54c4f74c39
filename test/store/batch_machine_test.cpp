// The batch machine, stepped without a socket: each rule by itself.
#include "batch_steps.hpp"

#include <store/classify.hpp>

#include <doctest/doctest.h>

using namespace perdure::store;
using namespace std::chrono_literals;
namespace pg = perdure::pg;

namespace {

pg::error server_error(std::string state, std::string detail = {})
{
    pg::diagnostics said;
    said.sqlstate = std::move(state);
    said.detail = std::move(detail);
    return pg::error{pg::errc::server_error, "the server's words", said};
}

} // namespace

TEST_CASE("an empty batch is done before anything is sent")
{
    batch_machine machine = machine_of(0);
    CHECK(machine.next().kind == kind::done);
}

TEST_CASE("a batch without mishaps is one transaction")
{
    batch_machine machine = machine_of(3);
    expect_send(machine, {0, 1, 2});
    machine.committed();
    CHECK(machine.next().kind == kind::done);
    CHECK(machine.outcome(2) == batch_outcome::confirmed);
}

TEST_CASE("a batch is cut by the number of its items and by their size")
{
    batch_limits limits;
    limits.items = 2;
    limits.bytes = 100;
    batch_machine machine{indices{10, 10, 10, 95, 500, 1}, limits};
    for (const indices& items : {indices{0, 1}, indices{2}, indices{3}, indices{4}, indices{5}}) {
        expect_send(machine, items);
        machine.committed();
    }
    CHECK(machine.next().kind == kind::done);
}

TEST_CASE("losers of the fence are removed and the others are sent again")
{
    batch_machine machine = machine_of(4);
    expect_send(machine, {0, 1, 2, 3});
    machine.fenced(indices{1, 3});
    CHECK(machine.outcome(0) == batch_outcome::lost);
    CHECK(machine.outcome(2) == batch_outcome::lost);
    expect_send(machine, {1, 3});
    machine.committed();
    CHECK(machine.next().kind == kind::done);
    CHECK(machine.outcome(1) == batch_outcome::confirmed);
}

TEST_CASE("a batch of nothing but losers is done")
{
    batch_machine machine = machine_of(1);
    machine.next();
    machine.fenced(indices{1});
    CHECK(machine.next().kind == kind::done);
}

TEST_CASE("a refused batch is halved until the refused item stands alone")
{
    batch_machine machine = machine_of(4);
    expect_send(machine, {0, 1, 2, 3});
    machine.failed(batch_failure::refused);
    expect_send(machine, {0, 1});
    machine.committed();
    expect_send(machine, {2, 3});
    machine.failed(batch_failure::refused);
    expect_send(machine, {2});
    machine.failed(batch_failure::refused);
    expect_send(machine, {3});
    machine.committed();
    CHECK(machine.next().kind == kind::done);
    CHECK(machine.outcome(2) == batch_outcome::rejected);
    CHECK(machine.outcome(3) == batch_outcome::confirmed);
}

TEST_CASE("a deadlock sends the same batch again, at once, then later and later")
{
    batch_machine machine = machine_of(2);
    expect_send(machine, {0, 1});
    machine.failed(batch_failure::conflict);
    expect_send(machine, {0, 1});
    machine.failed(batch_failure::conflict);
    expect_wait(machine, 10ms);
    expect_send(machine, {0, 1});
    machine.failed(batch_failure::conflict);
    expect_wait(machine, 20ms);
    expect_send(machine, {0, 1});
    machine.committed();
    CHECK(machine.next().kind == kind::done);
}

TEST_CASE("a loser that was ever in doubt is asked for before it is lost")
{
    batch_machine machine = machine_of(2);
    expect_send(machine, {0, 1});
    machine.failed(batch_failure::unknown);
    CHECK(machine.next().kind == kind::resolve);
    machine.resolved({false, false}); // but the transaction was only about to begin
    expect_send(machine, {0, 1});
    machine.fenced(indices{1, 2});
    CHECK(machine.outcome(0) == batch_outcome::open);
    const batch_step step = machine.next();
    CHECK(step.kind == kind::resolve);
    CHECK(step.items == indices{0, 1});
    machine.resolved({true, false});
    CHECK(machine.outcome(0) == batch_outcome::confirmed);
    CHECK(machine.outcome(1) == batch_outcome::lost);
    CHECK(machine.next().kind == kind::done);
}

TEST_CASE("while the database is away the batch waits, at most a second at a time, without end")
{
    batch_machine machine = machine_of(1);
    auto total = 0ms;
    for (int i = 0; i < 40; ++i) {
        batch_step step = machine.next();
        if (step.kind == kind::wait) {
            CHECK(step.pause <= 1s);
            total += step.pause;
            step = machine.next();
        }
        REQUIRE(step.kind == kind::send);
        machine.failed(batch_failure::unavailable);
    }
    CHECK(total > 30s);
}

TEST_CASE("a commit in doubt is resolved before anything is sent again")
{
    batch_machine machine = machine_of(3);
    expect_send(machine, {0, 1, 2});
    machine.failed(batch_failure::unknown);
    CHECK(machine.in_doubt());
    batch_step step = machine.next();
    CHECK(step.kind == kind::resolve);
    CHECK(step.items == indices{0, 1, 2});
    machine.failed(batch_failure::unavailable);
    CHECK(machine.next().kind == kind::wait);
    step = machine.next();
    CHECK(step.kind == kind::resolve);
    machine.resolved({true, false, true});
    CHECK_FALSE(machine.in_doubt());
    expect_send(machine, {1});
    machine.committed();
    CHECK(machine.next().kind == kind::done);
    CHECK(machine.outcome(0) == batch_outcome::confirmed);
}

TEST_CASE("a question that is not answered is asked again, never answered by a guess")
{
    batch_machine machine = machine_of(2);
    machine.next();
    machine.failed(batch_failure::unknown);
    for (const batch_failure how :
         {batch_failure::conflict, batch_failure::slow, batch_failure::refused}) {
        batch_step step = machine.next();
        if (step.kind == kind::wait) step = machine.next();
        CHECK(step.kind == kind::resolve);
        CHECK(step.items == indices{0, 1});
        machine.failed(how);
    }
}

TEST_CASE(
    "with patience a database that cannot be reached is given up at once when nothing is in doubt")
{
    batch_limits limits;
    limits.resolves = false;
    limits.patience = 10s;
    batch_machine machine = machine_of(1, limits);
    machine.next();
    machine.failed(batch_failure::unavailable);
    CHECK(machine.next().kind == kind::give_up);
    CHECK_FALSE(machine.in_doubt());
}

TEST_CASE("with patience a commit in doubt is sent again until patience is at its end")
{
    batch_limits limits;
    limits.resolves = false;
    limits.patience = 10s;
    batch_machine machine = machine_of(1, limits);
    expect_send(machine, {0});
    machine.failed(batch_failure::unknown);
    auto total = 0ms;
    batch_step step = machine.next();
    for (; step.kind != kind::give_up; step = machine.next()) {
        if (step.kind == kind::wait)
            total += step.pause;
        else
            machine.failed(batch_failure::unavailable);
    }
    CHECK(total > 8s);
    CHECK(total <= 10s);
    CHECK(machine.in_doubt());
}

TEST_CASE("patience counts the time that is spent trying, too")
{
    batch_limits limits;
    limits.resolves = false;
    limits.patience = 10s;
    batch_machine machine = machine_of(1, limits);
    expect_send(machine, {0});
    machine.failed(batch_failure::unknown, 4s);
    expect_send(machine, {0});
    machine.failed(batch_failure::unavailable, 4s);
    expect_wait(machine, 10ms);
    expect_send(machine, {0});
    machine.failed(batch_failure::unavailable, 4s);
    CHECK(machine.next().kind == kind::give_up);
    CHECK(machine.in_doubt());
}

TEST_CASE("with patience an item that stays in doubt does not give up the others")
{
    batch_limits limits;
    limits.items = 1;
    limits.resolves = false;
    limits.patience = 10s;
    batch_machine machine = machine_of(2, limits);
    expect_send(machine, {0});
    machine.failed(batch_failure::unknown, 4s);
    expect_send(machine, {0});
    machine.failed(batch_failure::unavailable, 7s);
    expect_wait(machine, 10ms);
    expect_send(machine, {1});
    CHECK(machine.outcome(0) == batch_outcome::open);
    CHECK(machine.in_doubt());
    machine.committed();
    CHECK(machine.outcome(1) == batch_outcome::confirmed);
    CHECK(machine.next().kind == kind::give_up); // for the one whose outcome nobody knows
    CHECK(machine.in_doubt());
}

TEST_CASE("with patience an item that time does not cure is rejected, and the others go on")
{
    batch_limits limits;
    limits.items = 1;
    limits.patience = 10s;
    batch_machine machine = machine_of(2, limits);
    expect_send(machine, {0});
    machine.failed(batch_failure::conflict, 11s);
    const batch_step step = machine.next();
    CHECK(step.kind == kind::reject);
    CHECK(step.items == indices{0});
    CHECK(machine.outcome(0) == batch_outcome::rejected);
    expect_send(machine, {1});
    machine.committed();
    CHECK(machine.next().kind == kind::done);
}

TEST_CASE("items that the operation asks for are sent once more")
{
    batch_machine machine = machine_of(3);
    expect_send(machine, {0, 1, 2});
    machine.committed(indices{1});
    CHECK(machine.outcome(1) == batch_outcome::open);
    expect_send(machine, {1});
    machine.committed();
    CHECK(machine.next().kind == kind::done);
}

TEST_CASE("a step must be reported once before the next")
{
    batch_machine machine = machine_of(1);
    CHECK_THROWS_AS(machine.committed(), std::logic_error);
    machine.next();
    CHECK_THROWS_AS(machine.next(), std::logic_error);
    CHECK_THROWS_AS(machine.fenced(indices{}), std::logic_error);
}

TEST_CASE("errors are classified by what a batch can do about them")
{
    const auto of = [](std::string state) { return classify(server_error(std::move(state))); };
    for (const char* const state : {"22021", "23505", "54000", "42P01"})
        CHECK(of(state) == batch_failure::refused);
    for (const char* const state : {"40001", "40P01", "26000"})
        CHECK(of(state) == batch_failure::conflict);
    for (const char* const state : {"53200", "55006", "25006", "58030"})
        CHECK(of(state) == batch_failure::unavailable);
    for (const char* const state : {"08006", "57P01", "57P02"})
        CHECK(of(state) == batch_failure::unknown);
    CHECK(of("55P03") == batch_failure::locked);
    CHECK(of("57014") == batch_failure::slow);
    CHECK(of("PD001") == batch_failure::fenced);
    CHECK(losers_of(server_error("PD001", "1,3,12")) == indices{1, 3, 12});
    CHECK(losers_of(server_error("PD001")).empty());

    const auto by = [](pg::errc code) { return classify(pg::error{code, "why"}); };
    CHECK(by(pg::errc::commit_unknown) == batch_failure::unknown);
    CHECK(by(pg::errc::connection_lost) == batch_failure::unknown);
    CHECK(by(pg::errc::connect_failed) == batch_failure::unavailable);
    CHECK(by(pg::errc::pool_timed_out) == batch_failure::unavailable);
    CHECK_FALSE(by(pg::errc::closed));
    CHECK_FALSE(by(pg::errc::unsupported_server));
    CHECK_FALSE(by(pg::errc::bad_value));
}
