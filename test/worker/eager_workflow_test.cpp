// Workflow tasks that a worker claims along with the results of its activities.
#include "steps.hpp"

#include <worker/worker_core.hpp>

#include <perdure/workflow/failed.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace asio = boost::asio;
using namespace perdure;
using namespace perdure::test;
using namespace std::chrono_literals;

namespace {

/// Likewise; hears of each result.
task<int> run_watched_walk(context ctx, int count, std::function<void()> arrived)
{
    int sum = 0;
    for (int i = 0; i < count; ++i) {
        sum += co_await ctx.run(step(i));
        arrived();
    }
    co_return sum;
}

/// Activities that end when they are let.
struct gate
{
    int begun = 0;
    bool open = false;

    asio::awaitable<int> operator()(activity_context, int given)
    {
        ++begun;
        co_await wait_until([this] { return open; });
        co_return given;
    }
};

asio::awaitable<int> until_cancelled(bool* told)
{
    co_await asio::this_coro::throw_if_cancelled(false);
    co_await asio::this_coro::reset_cancellation_state(asio::enable_terminal_cancellation());
    try {
        co_await pause(1h);
    } catch (const boost::system::system_error&) {
        *told = true;
    }
    co_return 0;
}

/// A session whose transaction has locked an instance.
asio::awaitable<pg::connection> lock_instance(std::string schema, std::string id)
{
    pg::connection_options options{test_dsn()};
    pg::connection session = co_await pg::connection::connect(options);
    co_await session.execute_script(pg::substitute_schema(
        "begin; select from {schema}.instances where id = '" + id + "' for update", schema));
    co_return session;
}

/// Until somebody waits for a lock.
asio::awaitable<void> wait_for_waiter(pg::connection& session)
{
    const pg::statement waiting{
        "select count(*) from pg_stat_activity where wait_event_type = 'Lock' "
        "and datname = current_database()"};
    const auto end = std::chrono::steady_clock::now() + deadline;
    for (std::int64_t waiters = 0; waiters == 0;) {
        if (std::chrono::steady_clock::now() > end)
            throw std::runtime_error{"nobody waits for the lock"};
        const pg::result rows = co_await session.execute(waiting);
        waiters = rows.get<std::int64_t>(0, 0);
    }
}

} // namespace

TEST_CASE("a workflow goes on without being looked for when its worker's activity has ended")
{
    for (const setting how : {setting::cached, setting::polling}) {
        CAPTURE(to_string(how));
        const installation on{how};
        ledger noted{on};
        process here{on};
        worker& works = here.add_worker();
        employ(works);
        here.start_all();
        CHECK(here.result_of(walk(10)) == 45);
        CHECK(noted.workflow_tasks(true) == 10);
        CHECK(noted.workflow_tasks(false) == 1); // of its start
        here.stop();
    }
}

TEST_CASE("who does not have the live coroutine leaves its tasks to whoever looks")
{
    const installation on;
    ledger noted{on};
    process here{on};
    here.add_worker().implement(walk, run_walk);
    here.add_worker().implement(step, do_step);
    worker_options forgetful = on.workers();
    forgetful.queues({"forgetful"}).cached_instances(0);
    worker& forgets = here.add_worker(forgetful);
    employ(forgets);
    here.start_all();
    CHECK(here.result_of(walk(3)) == 3);
    CHECK(here.result_of(walk(3).queue("forgetful")) == 3);
    CHECK(noted.workflow_tasks(true) == 0);
    CHECK(noted.workflow_tasks(false) == 8);
}

TEST_CASE(
    "a workflow task whose worker died after claiming it so is taken over when its lease ends")
{
    const installation on;
    process first{on};
    worker_options brief = on.workers();
    brief.lease(1s);
    worker& dies = first.add_worker(brief);
    bool dying = false;
    const auto stand_still = [&] {
        if (dying) first.io().stop();
    };
    dies.implement(walk, [&stand_still](context ctx, int count) {
        return run_watched_walk(std::move(ctx), count, stand_still);
    });
    dies.implement(step, do_step);
    first.start_all();
    CHECK(first.result_of(walk(3)) == 3);
    ledger noted{on};
    dying = true;
    CHECK_THROWS(first.result_of(walk(1).id("one")));
    CHECK(noted.workflow_tasks(true) == 1);
    // From here on the first process stands still.
    engine_options looks = on.options();
    process second{on, test_dsn(), looks.safety_poll(1s)};
    worker& takes_over = second.add_worker();
    employ(takes_over);
    second.start_all();
    second.run([&]() -> asio::awaitable<void> {
        CHECK(co_await second.client().get(walk, "one").result() == 0);
    });
    dying = false;
}

TEST_CASE("results for an instance that somebody has locked leave a worker slots for others")
{
    const installation on;
    ledger noted{on};
    process here{on};
    worker_options few = on.workers();
    few.workflow_slots(4);
    worker& works = here.add_worker(few);
    gate held;
    works.implement(spread, run_spread);
    works.implement(walk, run_walk);
    works.implement(step, [&held](activity_context ctx, int given) { return held(ctx, given); });
    here.start_all();
    here.run([&]() -> asio::awaitable<void> {
        const auto locked = co_await here.client().start(spread(6).id("locked"));
        co_await wait_until([&] { return held.begun == 6; });
        pg::connection stranger = co_await lock_instance(on.schema(), "locked");
        held.open = true;
        co_await wait_for_waiter(stranger);
        const auto free = co_await here.client().start(walk(3));
        CHECK(co_await free.result() == 3);
        co_await stranger.execute_script("rollback");
        co_await locked.result();
    });
    CHECK(noted.workflow_tasks(true) >= 3); // of the other instance
}

TEST_CASE("a task that was claimed along with a result that came late is handed back at once")
{
    const installation on;
    process here{on};
    worker_options brief = on.workers();
    brief.lease(5s);
    worker& works = here.add_worker(brief);
    gate held;
    works.implement(walk, run_walk);
    works.implement(step, [&held](activity_context ctx, int given) { return held(ctx, given); });
    here.start_all();
    here.run([&]() -> asio::awaitable<void> {
        const auto late = co_await here.client().start(walk(1).id("late"));
        co_await wait_until([&] { return held.begun == 1; });
        pg::connection stranger = co_await lock_instance(on.schema(), "late");
        held.open = true;
        co_await wait_for_waiter(stranger);
        co_await pause(4200ms); // more than four fifths of the lease
        co_await stranger.execute_script("rollback");
        CHECK(co_await late.result() == 0);
    });
    CHECK(here.logged("its lease had almost ended before it could run"));
    CHECK_FALSE(here.logged("was dropped"));
}

TEST_CASE("a task that was claimed along with a result while the worker leaves is handed back")
{
    const installation on;
    process here{on};
    worker& works = here.add_worker();
    gate held;
    bool leaving = false;
    works.implement(spread, run_spread);
    works.implement(step, [&](activity_context ctx, int given) -> asio::awaitable<int> {
        if (given != 0) return held(ctx, given);
        return until_cancelled(&leaving);
    });
    here.start_all();
    here.run([&]() -> asio::awaitable<void> {
        const auto one = co_await here.client().start(spread(2).id("one"));
        co_await wait_for_history(one, 4);
        co_await wait_until([&] { return held.begun == 1; });
        pg::connection stranger = co_await lock_instance(on.schema(), "one");
        held.open = true;
        co_await wait_for_waiter(stranger);
        works.drain(3s);
        co_await wait_until([&] { return leaving; });
        co_await stranger.execute_script("rollback");
        co_await wait_until([&] { return here.running() == 0; });
        CHECK((co_await one.state()).history_length == 4); // its code did not run again
        co_await execute(
            on.schema(), "do $$ begin assert (select token is null and visible_at <= now() "
                         "from {schema}.workflow_tasks); end $$");
    });
    CHECK(here.logged("a workflow task was handed back instance=one"));
}

TEST_CASE("time does not run backwards in a history, however old the clock's last reading")
{
    const installation on;
    ledger noted{on};
    process here{on};
    worker& works = here.add_worker();
    works.implement(walk, run_walk);
    works.implement(step, [&](activity_context ctx, int given) {
        store::database_clock& clock = here.engine().core()->hub().clock();
        clock.observe(clock.now() - 500ms);
        return do_step(ctx, given);
    });
    here.start_all();
    here.run([&]() -> asio::awaitable<void> {
        const auto one = co_await here.client().start(walk(3));
        co_await one.result();
        const auto history = co_await one.history();
        CHECK(history.size() > 10);
        CHECK(std::ranges::is_sorted(history, {}, &event::at));
    });
    CHECK(noted.workflow_tasks(true) == 3);
}

TEST_CASE("a result that the server refuses fails its activity, and keeps no slot")
{
    const installation on;
    process here{on};
    worker_options narrow = on.workers();
    narrow.workflow_slots(2);
    worker& works = here.add_worker(narrow);
    employ(works);
    here.start_all();
    here.run([&]() -> asio::awaitable<void> {
        co_await execute(
            on.schema(), "create function {schema}.refuse() returns trigger language plpgsql as $$ "
                         "begin raise 'no zeros' using errcode = 'check_violation'; end $$;"
                         "create trigger refuse before insert on {schema}.inbox for each row "
                         "when (new.data = '0' and new.type = 'activity_completed') "
                         "execute function {schema}.refuse()");
    });
    CHECK_THROWS_WITH_AS(here.result_of(walk(1)), doctest::Contains("no zeros"), workflow_failed);
    here.run([&]() -> asio::awaitable<void> {
        co_await execute(on.schema(), "drop trigger refuse on {schema}.inbox");
    });
    CHECK(here.result_of(walk(3)) == 3);
}

TEST_CASE("what a worker hears when it has left is left to its lease")
{
    const installation on;
    asio::io_context io{1};
    std::vector<std::string> said;
    engine_options options = on.options();
    options.log([&said](auto, auto message, auto) { said.emplace_back(message); });
    const auto core = std::make_shared<engine_core>(io.get_executor(), test_dsn(), options);
    const auto gone = std::make_shared<worker_core>(core, on.workers());
    bool ended = false;
    asio::co_spawn(io, worker_core::run(gone), [&](std::exception_ptr) { ended = true; });
    run(io, wait_until([&] { return !said.empty(); })); // notifications arrive
    gone->drain(0ms);
    run(io, wait_until([&] { return ended; }));
    said.clear();
    const auto taken = std::make_shared<slots>(1);
    store::activity_completed late;
    late.claimed.emplace();
    gone->start(
        late, std::make_shared<slots::slot>(taken->take()), std::chrono::steady_clock::now());
    io.restart();
    io.poll();
    CHECK(said.empty()); // it was not even handed back
    CHECK(taken->used() == 0);
    core->shut_down();
}
