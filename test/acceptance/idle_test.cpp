// What an idle worker costs: next to nothing.
#include "acceptance/installation.hpp"

#include <perdure/workflow/context.hpp>
#include <perdure/workflow/definitions.hpp>
#include <perdure/workflow/task.hpp>

#include <doctest/doctest.h>

#include <string>
#include <utility>

namespace asio = boost::asio;
using namespace perdure;
using namespace perdure::test;
using namespace std::chrono_literals;

namespace {

constexpr workflow<"sleep-on", void()> sleep_on;
constexpr activity<"doze", void()> doze;

task<void> run_sleep_on(context ctx)
{
    co_await ctx.run(doze());
    co_await ctx.sleep(1h);
}

const pg::statement& counters()
{
    // Statements of the engine's sessions are told from the test's own by the role.
    static const pg::statement text{
        "select coalesce(sum(s.calls), 0)::bigint, "
        "pg_snapshot_xmax(pg_current_snapshot())::text::bigint "
        "from pg_stat_statements s join pg_roles r on r.oid = s.userid where r.rolname = $1"};
    return text;
}

asio::awaitable<pg::connection> connect(std::string dsn)
{
    pg::connection_options options{std::move(dsn)};
    pg::connection session = co_await pg::connection::connect(std::move(options));
    co_return session;
}

} // namespace

TEST_CASE("an idle worker sends at most one statement in ten seconds and uses no transaction id")
{
    // An autovacuum takes transaction ids of its own.
    dev::server own{dev::server_options{}
                        .setting("autovacuum", "off")
                        .setting("shared_preload_libraries", "pg_stat_statements")};
    const installation on{setting::cached, own.dsn()};
    const std::string role = on.schema() + "_worker";
    const auto prepare = [&]() -> asio::awaitable<void> {
        pg::connection session = co_await connect(own.dsn());
        co_await session.execute_script(
            "create extension if not exists pg_stat_statements; create role " + role +
            " superuser login");
    };
    run(prepare);

    process here{on, own.dsn() + " user=" + role};
    worker& runs = here.add_worker(on.workers().lease(1s));
    runs.implement(sleep_on, run_sleep_on);
    runs.implement(doze, [](activity_context) {});
    here.start_all();
    here.run([&]() -> asio::awaitable<void> {
        auto started = co_await here.client().start(sleep_on()); // idle, with a timer pending
        const auto end = std::chrono::steady_clock::now() + perdure::test::deadline;
        for (;;) {
            const store::instance_state state = co_await started.state();
            if (state.history_length >= 6) break;
            REQUIRE(std::chrono::steady_clock::now() < end);
            co_await pause(1ms);
        }
        pg::connection session = co_await connect(own.dsn());
        co_await pause(
            1500ms); // a poller looks once more when the lease of its last claim would end
        const pg::result before = co_await session.execute(counters(), role);
        co_await pause(10s);
        const pg::result after = co_await session.execute(counters(), role);
        const auto statements = after.get<std::int64_t>(0, 0) - before.get<std::int64_t>(0, 0);
        const auto transactions = after.get<std::int64_t>(0, 1) - before.get<std::int64_t>(0, 1);
        CAPTURE(statements);
        CHECK(statements <= 1);
        CHECK(transactions == 0);
    });
}
