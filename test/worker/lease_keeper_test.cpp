// What a worker believes of its leases.
#include "acceptance/installation.hpp"
#include "proxy.hpp"

#include <worker/lease_keeper.hpp>

#include <perdure/workflow/context.hpp>
#include <perdure/workflow/definitions.hpp>
#include <perdure/workflow/task.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>

#include <doctest/doctest.h>

#include <exception>
#include <memory>
#include <optional>
#include <string>

namespace asio = boost::asio;
using namespace perdure;
using namespace perdure::test;
using namespace std::chrono_literals;

TEST_CASE("a lease is good for four fifths of it, or until it is lost")
{
    const auto now = std::chrono::steady_clock::now();
    lease_state lease;
    CHECK_FALSE(lease.fresh());
    lease.held_from(now, 1h);
    CHECK(lease.fresh());
    lease.held_from(now - 47min, 1h);
    CHECK(lease.fresh());
    lease.held_from(now - 49min, 1h);
    CHECK_FALSE(lease.fresh());
    lease.held_from(now, 1h);
    lease.lose();
    CHECK_FALSE(lease.fresh());
    CHECK(lease.lost());
}

TEST_CASE("a lease that could not be extended is tried again long before the next is due")
{
    constexpr workflow<"errand", void()> errand;
    constexpr activity<"wait", void()> wait;
    const installation on;
    proxy network{test_dsn()};
    bool begun = false;
    bool let_go = false;
    std::vector<std::chrono::steady_clock::time_point> failures;
    asio::io_context io{1};
    const auto note = [&](log_level, std::string_view message, std::span<const log_field>) {
        if (message == "cannot extend leases") failures.push_back(std::chrono::steady_clock::now());
    };
    engine engine{io, network.dsn(), on.options().log(note)};
    worker worker{engine, on.workers().lease(10s)};
    worker.implement(errand, [wait](context ctx) -> task<void> { co_await ctx.run(wait()); });
    worker.implement(wait, [&](activity_context) -> asio::awaitable<void> {
        begun = true;
        co_await wait_until([&] { return let_go; });
    });
    bool ended = false;
    asio::co_spawn(io, worker.run(), [&](std::exception_ptr) { ended = true; });
    client client{engine};
    perdure::test::run(io, [&]() -> asio::awaitable<void> {
        co_await client.start(errand());
        co_await wait_until([&] { return begun; });
        network.refuse();
        co_await wait_until([&] { return failures.size() == 2; });
        CHECK(failures[1] - failures[0] < 2500ms); // an interval is 3 s
        network.accept_again();
        let_go = true;
        worker.drain(5s);
        co_await wait_until([&] { return ended; });
    });
}

TEST_CASE("a lease survives connections that go silent")
{
    constexpr workflow<"errand", void()> errand;
    constexpr activity<"wait", void()> wait;
    const installation on;
    proxy network{test_dsn()};
    bool begun = false;
    bool outlived = false;
    process here{on, network.dsn()};
    worker& runs = here.add_worker(on.workers().lease(2s));
    runs.implement(errand, [wait](context ctx) -> task<void> { co_await ctx.run(wait()); });
    runs.implement(wait, [&](activity_context) -> asio::awaitable<void> {
        begun = true;
        co_await pause(6s); // three leases: cancelled if it is lost
        outlived = true;
    });
    here.start_all();
    here.run([&]() -> asio::awaitable<void> {
        co_await here.client().start(errand());
        co_await wait_until([&] { return begun; });
        network.silence();
        co_await wait_until([&] { return outlived || here.logged("a lease was lost"); });
    });
    CHECK(outlived);
    CHECK(here.logged("the database does not answer"));
}

TEST_CASE("an activity that is given up has no other lease extended")
{
    constexpr workflow<"errand", void()> errand;
    constexpr activity<"wait", void()> wait;
    const installation on;
    int begun = 0;
    bool stopped = false;
    process here{on, test_dsn(), patient(on)};
    worker& runs = here.add_worker(on.workers().lease(10min));
    runs.implement(errand, [wait](context ctx) -> task<void> { co_await ctx.run(wait()); });
    runs.implement(wait, [&](activity_context) -> asio::awaitable<void> {
        ++begun;
        try {
            co_await pause(1h);
        } catch (const boost::system::system_error&) {
            stopped = true;
        }
    });
    here.start_all();
    here.run([&]() -> asio::awaitable<void> {
        co_await wait_until([&] { return here.logged("notifications arrive"); }); // all look then
        const auto one = co_await here.client().start(errand());
        co_await here.client().start(errand());
        co_await wait_until([&] { return begun == 2; });
        co_await execute(
            on.schema(), "create table {schema}.seen as select id, visible_at from "
                         "{schema}.activity_tasks");
        co_await one.cancel();
        co_await wait_until([&] { return stopped; });
        co_await execute(
            on.schema(), "do $$ begin assert 1 = (select count(*) from {schema}.seen join "
                         "{schema}.activity_tasks using (id, visible_at)); end $$");
    });
}

TEST_CASE("whoever extends leases and is cancelled meanwhile says no more than that")
{
    const installation on;
    asio::io_context io{1};
    const auto engine = std::make_shared<engine_core>(io.get_executor(), test_dsn(), on.options());
    const auto keeper = std::make_shared<lease_keeper>(engine, 1s);
    store::activity_task given;
    given.token = store::draw_token();
    const auto held = keeper->hold(given, std::chrono::steady_clock::now(), [](stop_reason) {});
    asio::cancellation_signal cancel;
    bool done = false;
    std::exception_ptr ended;
    asio::co_spawn(
        io, keeper->run(task_kind::activity),
        asio::bind_cancellation_slot(cancel.slot(), [&](std::exception_ptr failure) {
            ended = failure;
            done = true;
        }));
    const pg::statement waiting{
        "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and "
        "position($1 in query) > 0"};
    perdure::test::run(io, [&]() -> asio::awaitable<void> {
        const pg::connection_options direct{test_dsn()};
        pg::connection locks = co_await pg::connection::connect(direct);
        pg::connection sees = co_await pg::connection::connect(direct);
        co_await locks.execute_script(
            pg::substitute_schema("begin; lock table {schema}.activity_tasks", on.schema()));
        for (bool extends = false; !extends;) {
            const pg::result rows = co_await sees.execute(waiting, on.schema());
            extends = rows.get<std::int64_t>(0, 0) > 0;
        }
        cancel.emit(asio::cancellation_type::terminal);
        co_await wait_until([&] { return done; });
    });
    REQUIRE(ended);
    const boost::system::system_error aborted{asio::error::operation_aborted};
    CHECK_THROWS_WITH_AS(
        std::rethrow_exception(ended), aborted.what(), boost::system::system_error);
}
