// Activities that a worker claims as its workflow tasks schedule them.
#include "acceptance/installation.hpp"

#include <perdure/pg/connection.hpp>
#include <perdure/pg/identifier.hpp>
#include <perdure/store/announcement.hpp>
#include <perdure/workflow/context.hpp>
#include <perdure/workflow/definitions.hpp>
#include <perdure/workflow/task.hpp>
#include <perdure/workflow/when_all.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

namespace asio = boost::asio;
using namespace perdure;
using namespace perdure::test;
using namespace std::chrono_literals;

namespace {

constexpr workflow<"walk", int(int)> walk;
constexpr workflow<"spread", void(int)> spread;
constexpr activity<"step", int(int)> step;

/// As many activities, one after the other.
task<int> run_walk(context ctx, int count)
{
    int sum = 0;
    for (int i = 0; i < count; ++i) sum += co_await ctx.run(step(i));
    co_return sum;
}

/// As many activities at once.
task<void> run_spread(context ctx, int count)
{
    std::vector<operation<int>> steps;
    for (int i = 0; i < count; ++i) steps.push_back(ctx.run(step(i)));
    co_await when_all(std::move(steps));
}

asio::awaitable<int> do_step(activity_context, int given)
{
    co_return given;
}

/// Notes of every activity whether it was claimed as it came into being.
class ledger
{
public:
    explicit ledger(const installation& on) : schema_{pg::quote_identifier(on.schema())}
    {
        execute("create table " + schema_ + ".ledger (operation integer, eager boolean)");
        execute("create function " + schema_ + R"(.note() returns trigger language plpgsql as $$
            begin
                execute format(
                    'insert into %I.ledger values ($1, $2)', tg_table_schema)
                    using new.operation, new.token is not null;
                return null;
            end $$)");
        execute(
            "create trigger note after insert on " + schema_ +
            ".activity_tasks for each row execute function " + schema_ + ".note()");
    }

    std::int64_t count(bool eager)
    {
        return run([&]() -> asio::awaitable<std::int64_t> {
            pg::connection session = co_await pg::connection::connect(connection());
            const pg::result rows = co_await session.execute(
                pg::statement{"select count(*) from " + schema_ + ".ledger where eager = $1"},
                eager);
            co_return rows.get<std::int64_t>(0, 0);
        });
    }

private:
    static pg::connection_options connection() { return pg::connection_options{test_dsn()}; }

    static void execute(const std::string& text)
    {
        run([&]() -> asio::awaitable<void> {
            pg::connection session = co_await pg::connection::connect(connection());
            co_await session.execute(pg::statement{text});
        });
    }

    std::string schema_;
};

} // namespace

TEST_CASE("activities that the workflow's own worker can run are claimed as they are scheduled")
{
    for (const setting how : every_setting) {
        CAPTURE(to_string(how));
        const installation on{how};
        ledger noted{on};
        process here{on};
        worker& works = here.add_worker();
        works.implement(walk, run_walk);
        works.implement(step, do_step);
        here.start_all();
        CHECK(here.result_of(walk(10)) == 45);
        CHECK(noted.count(true) + noted.count(false) == 10);
        CHECK(noted.count(true) >= 5); // not while its slots are promised to a claim under way
        here.stop();
    }
}

TEST_CASE("activities that it cannot run are offered to all")
{
    const installation on;
    ledger noted{on};
    process here{on};
    here.add_worker().implement(walk, run_walk);
    here.add_worker().implement(step, do_step);
    worker_options elsewhere = on.workers();
    elsewhere.queues({"elsewhere"});
    here.add_worker(elsewhere).implement(walk, run_walk);
    here.start_all();
    CHECK(here.result_of(walk(3)) == 3);
    CHECK(noted.count(true) == 0);
    CHECK(noted.count(false) == 3);
}

TEST_CASE("what waits in the queue is not starved by what is claimed as it is scheduled")
{
    const installation on;
    constexpr int backlog = 20;
    {
        process before{on};
        before.add_worker().implement(spread, run_spread);
        before.start_all();
        before.run([&]() -> asio::awaitable<void> {
            auto started = co_await before.client().start(spread(backlog).id("backlog"));
            co_await wait_for_history(started, 2 + backlog);
        });
        before.stop();
    }
    process here{on};
    worker_options narrow = on.workers();
    narrow.activity_slots(1);
    worker& works = here.add_worker(narrow);
    works.implement(walk, run_walk);
    works.implement(spread, run_spread);
    int steps = 0;
    int waited = 0; // in which of them the backlog ended
    works.implement(step, [&](activity_context ctx, int given) -> asio::awaitable<int> {
        ++steps;
        if (ctx.info().workflow_id == "backlog") waited = steps;
        co_return given;
    });
    here.start_all();
    CHECK(here.result_of(walk(3 * backlog)) > 0);
    CHECK(waited > 0);
    CHECK(waited <= 2 * backlog + 2);
}

TEST_CASE("a function that would have to wait for a thread is offered to all")
{
    const installation on;
    ledger noted{on};
    process here{on};
    worker_options narrow = on.workers();
    narrow.threads(1);
    worker& works = here.add_worker(narrow);
    works.implement(spread, run_spread);
    works.implement(walk, run_walk);
    std::atomic<bool> open = false;
    works.implement(step, [&](activity_context ctx, int given) {
        while (!open && !ctx.stop_token().stop_requested()) std::this_thread::yield();
        return given;
    });
    here.start_all();
    here.run([&]() -> asio::awaitable<void> {
        co_await wait_until([&] { return here.logged("notifications arrive"); });
        auto started = co_await here.client().start(spread(5).id("five"));
        co_await wait_for_history(started, 7);
        open = true;
        co_await started.result();
    });
    CHECK(noted.count(true) <= 1);
    CHECK(noted.count(false) >= 4);
}

TEST_CASE("an activity whose worker died after claiming it so is taken over when its lease ends")
{
    const installation on;
    const engine_options nobody_polls = patient(on);
    process second{on, test_dsn(), nobody_polls};
    worker& takes_over = second.add_worker();
    takes_over.implement(walk, run_walk);
    takes_over.implement(step, do_step);
    second.start_all();
    second.run([&] { return wait_until([&] { return second.logged("notifications arrive"); }); });

    process first{on, test_dsn(), nobody_polls};
    worker_options brief = on.workers();
    brief.lease(1s);
    worker& dies = first.add_worker(brief);
    dies.implement(walk, run_walk);
    int begun = 0;
    dies.implement(step, [&](activity_context, int given) -> asio::awaitable<int> {
        if (++begun == 2) co_await pause(1h);
        co_return given;
    });
    first.start_all();
    first.run([&]() -> asio::awaitable<void> {
        pg::connection ear = co_await pg::connection::connect(pg::connection_options{test_dsn()});
        const pg::statement listen{"listen " + pg::quote_identifier(on.schema())};
        co_await ear.execute(listen);
        co_await wait_until([&] { return first.logged("notifications arrive"); });
        co_await first.client().start(walk(2).id("one"));
        co_await wait_until([&] { return begun == 2; });
        for (bool told = false; !told;) { // when the lease ends
            const auto heard =
                co_await ear.wait_notifications(std::chrono::steady_clock::now() + deadline);
            REQUIRE_FALSE(heard.empty());
            for (const pg::notification& each : heard) {
                const auto what = store::decode_announcement(each.payload);
                told = told || (!what->activity_queues.empty() && what->activity_queues[0].due);
            }
        }
    });
    // From here on the first process stands still.
    second.run([&]() -> asio::awaitable<void> {
        CHECK(co_await second.client().get(walk, "one").result() == 1);
    });
}
