// End to end: many at once. Nothing waits for a poll: where notifications are on, polls are minutes
// apart.
#include "acceptance/elsewhere.hpp"
#include "acceptance/installation.hpp"

#include <perdure/workflow/context.hpp>
#include <perdure/workflow/definitions.hpp>
#include <perdure/workflow/select.hpp>
#include <perdure/workflow/task.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <cstdint>
#include <list>
#include <numeric>
#include <set>
#include <string>
#include <vector>

namespace asio = boost::asio;
using namespace perdure;
using namespace perdure::test;
using namespace std::chrono_literals;

namespace {

constexpr workflow<"spread", std::int64_t(int)> spread;
constexpr activity<"part", int(int)> part;

/// So many activities at once, and the sum of what they give.
task<std::int64_t> run_spread(context ctx, int count)
{
    std::vector<future<int>> parts;
    for (int i = 0; i < count; ++i) parts.push_back(ctx.start(part(i)));
    std::int64_t sum = 0;
    for (const auto& each : parts) sum += co_await each;
    co_return sum;
}

/// What is given back only when so many are under way at the same time.
class barrier
{
public:
    explicit barrier(int parties) : parties_{parties} {}

    asio::awaitable<int> pass(int value)
    {
        ++arrived_;
        co_await wait_until([this] { return arrived_ >= parties_; });
        co_return value;
    }

private:
    int parties_;
    std::atomic<int> arrived_ = 0;
};

asio::awaitable<pg::connection> connect()
{
    pg::connection_options options{test_dsn()};
    pg::connection session = co_await pg::connection::connect(std::move(options));
    co_return session;
}

} // namespace

TEST_CASE("B2: a hundred parallel activities awaited through select")
{
    static constexpr workflow<"race", std::int64_t()> race;
    for (const setting how : every_setting) {
        CAPTURE(to_string(how));
        const installation on{how};
        process here{on, test_dsn(), patient(on)};
        worker& runs = here.add_worker();
        runs.implement(race, [](context ctx) -> task<std::int64_t> {
            std::vector<operation<int>> parts;
            for (int i = 0; i < 100; ++i) parts.push_back(ctx.run(part(i)));
            auto racing = select(std::move(parts));
            std::set<std::size_t> seen;
            std::int64_t sum = 0;
            while (!racing.empty()) {
                const auto next = co_await racing;
                seen.insert(next.index);
                sum += next.value;
            }
            co_return seen.size() == 100 ? sum : -1;
        });
        runs.implement(part, [](activity_context, int value) -> asio::awaitable<int> {
            co_await pause(std::chrono::milliseconds{(value * 37) % 23}); // in no order
            co_return value;
        });
        here.start_all();
        CHECK(here.result_of(race()) == 4950);
    }
}

TEST_CASE("C: a batch of tasks created by one statement wakes enough workers to run all at once")
{
    for (const setting how : every_setting) {
        CAPTURE(to_string(how));
        const installation on{how};
        barrier eight{8};
        const auto employ = [&](process& where) {
            for (int i = 0; i < 2; ++i)
                where.add_worker(on.workers().activity_slots(1))
                    .implement(
                        part, [&](activity_context, int value) { return eight.pass(value); });
        };
        std::list<elsewhere> processes;
        for (int i = 0; i < 4; ++i) processes.emplace_back(on, employ);
        process here{on, test_dsn(), patient(on)};
        here.add_worker().implement(spread, run_spread);
        here.start_all();
        CHECK(here.result_of(spread(8)) == 28);
    }
}

TEST_CASE("C: a worker whose parallelism equals its pollers still runs all at once")
{
    for (const setting how : every_setting) {
        CAPTURE(to_string(how));
        const installation on{how};
        barrier four{4};
        process here{on, test_dsn(), patient(on)};
        for (int i = 0; i < 4; ++i) {
            worker& runs = here.add_worker(on.workers().activity_slots(1).workflow_slots(1));
            runs.implement(spread, run_spread);
            runs.implement(part, [&](activity_context, int value) { return four.pass(value); });
        }
        here.start_all();
        CHECK(here.result_of(spread(4)) == 6);
        CHECK(here.result_of(spread(12)) == 66); // three times as many as can run
    }
}

TEST_CASE("C: the last of many results arrives while its instance is locked, and it goes on when "
          "that ends, not at a poll")
{
    for (const setting how : every_setting) {
        CAPTURE(to_string(how));
        const installation on{how};
        bool let_go = false;
        process here{on, test_dsn(), patient(on)};
        worker& runs = here.add_worker();
        runs.implement(spread, run_spread);
        runs.implement(part, [&](activity_context, int value) -> asio::awaitable<int> {
            if (value == 19) co_await wait_until([&] { return let_go; });
            co_return value;
        });
        here.start_all();
        here.run([&]() -> asio::awaitable<void> {
            auto started = co_await here.client().start(spread(20));
            const auto key = [&]() -> asio::awaitable<store::instance_key> {
                const auto state = co_await started.state();
                co_return state.instance;
            };
            const store::instance_key instance = co_await key();
            // All but the last have arrived and were looked at.
            for (;;) {
                const auto history = co_await started.history();
                const auto arrived =
                    std::count_if(history.begin(), history.end(), [](const event& each) {
                        return each.type == event_type::activity_completed;
                    });
                if (arrived == 19 && history.back().type == event_type::workflow_task) break;
                co_await pause(1ms);
            }
            pg::connection stranger = co_await connect();
            co_await stranger.execute_script("begin");
            const pg::statement lock{
                "select pg_backend_pid() from " + pg::quote_identifier(on.schema()) +
                ".instances where k = $1 for no key update"};
            const pg::result locked = co_await stranger.execute(lock, instance);
            let_go = true;
            pg::connection observer = co_await connect();
            const pg::statement who_waits{
                "select count(*) from pg_stat_activity where $1 = any (pg_blocking_pids(pid))"};
            for (;;) { // until the result stands at the lock
                const pg::result waiting =
                    co_await observer.execute(who_waits, locked.get<std::int32_t>(0, 0));
                if (waiting.get<std::int64_t>(0, 0) > 0) break;
                co_await pause(1ms);
            }
            co_await pause(600ms); // longer than it waits for a lock at a time
            co_await stranger.execute_script("commit");
            const std::int64_t sum = co_await started.result();
            CHECK(sum == 190);
        });
    }
}

TEST_CASE("C: while twenty thousand timers sleep, a claim reads as little as ever")
{
    constexpr workflow<"blink", void()> blink;
    for (const setting how : every_setting) {
        CAPTURE(to_string(how));
        const installation on{how};
        const std::string schema = pg::quote_identifier(on.schema());
        run([&]() -> asio::awaitable<void> {
            pg::connection session = co_await connect();
            co_await session.execute_script(
                "with sleeper as (insert into " + schema +
                ".instances (id, workflow, queue, history_length, history_bytes, start_key, "
                "metadata)"
                " select 'sleeper ' || n, 'blink', 'default', 3, 0, gen_random_uuid(), ''"
                " from generate_series(1, 20000) n returning k) insert into " +
                schema +
                ".workflow_tasks (instance, queue, visible_at)"
                " select k, 'default', now() + k * interval '1 s' + interval '1 h' from sleeper");
        });
        {
            process here{on, test_dsn(), patient(on)};
            here.add_worker().implement(blink, [](context ctx) -> task<void> {
                for (int i = 0; i < 10; ++i) co_await ctx.sleep(1ms);
            });
            here.start_all();
            here.result_of(blink());
        } // its sessions end, and their counts are known
        run([&]() -> asio::awaitable<void> {
            pg::connection session = co_await connect();
            const pg::statement counters{
                "select idx_scan, idx_tup_read from pg_stat_user_indexes"
                " where schemaname = $1 and indexrelname = 'workflow_tasks_due'"};
            std::int64_t scans = 0;
            std::int64_t read = 0;
            const auto end = std::chrono::steady_clock::now() + perdure::test::deadline;
            while (scans < 20 && std::chrono::steady_clock::now() < end) {
                const pg::result counted = co_await session.execute(counters, on.schema());
                scans = counted.get<std::int64_t>(0, 0);
                read = counted.get<std::int64_t>(0, 1);
                co_await pause(10ms);
            }
            CAPTURE(scans);
            CHECK(scans >= 20);
            CHECK(read < 10 * scans);
        });
    }
}
