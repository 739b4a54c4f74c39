// How a worker comes to deliver requests, and what it does when it cannot.
#include "acceptance/installation.hpp"

#include <perdure/workflow/context.hpp>
#include <perdure/workflow/definitions.hpp>
#include <perdure/workflow/task.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <string>

namespace asio = boost::asio;
using namespace perdure;
using namespace perdure::test;
using namespace std::chrono_literals;

namespace {

constexpr workflow<"wait", void()> wait_for_word;
constexpr signal<"word"> word;
constexpr activity<"nothing", void()> nothing;

void employ(process& where)
{
    where.add_worker().implement(
        wait_for_word, [](context ctx) -> task<void> { co_await ctx.receive(word); });
    where.start_all();
}

} // namespace

TEST_CASE("requests from before a worker starts are delivered, by one without workflows, too")
{
    const installation on;
    process here{on, test_dsn(), patient(on)};
    here.add_worker().implement(nothing, [](activity_context) {});
    here.run([&]() -> asio::awaitable<void> {
        const auto started = co_await here.client().start(wait_for_word().id("one"));
        co_await execute(on.schema(), "select {schema}.signal('one', 'word')");
        here.start_all();
        const auto end = std::chrono::steady_clock::now() + perdure::test::deadline;
        for (std::int64_t pending = 0; pending == 0;) {
            const auto state = co_await started.state();
            pending = state.pending_events;
            REQUIRE(std::chrono::steady_clock::now() < end);
        }
    });
}

TEST_CASE("a request whose notification was lost is found by the safety poll")
{
    const installation on;
    engine_options options = patient(on);
    options.safety_poll(200ms);
    process here{on, test_dsn(), options};
    employ(here);
    here.run([&] { return wait_until([&] { return here.logged("notifications arrive"); }); });
    here.run([&]() -> asio::awaitable<void> {
        const auto started = co_await here.client().start(wait_for_word().id("one"));
        co_await execute(
            on.schema(),
            "begin; set local perdure.engine = 'on'; select {schema}.signal('one', 'word'); "
            "commit");
        co_await started.result();
    });
}

TEST_CASE("a request that came too late is dropped and said to the logger")
{
    const installation on;
    process here{on, test_dsn(), patient(on)};
    here.run([&]() -> asio::awaitable<void> {
        co_await here.client().start(wait_for_word().id("one"));
        co_await execute(
            on.schema(), "select {schema}.signal('one', 'word');"
                         "update {schema}.instances set ended = k, state = 1;"
                         "delete from {schema}.workflow_tasks");
    });
    employ(here);
    here.run([&] { return wait_until([&] { return here.logged("a request was dropped"); }); });
    for (const log_line& line : here.log())
        if (line.text.find("a request was dropped") != std::string::npos) {
            CHECK(line.level == log_level::info);
            CHECK(line.text.find("instance=one type=signal_received name=word") != line.text.npos);
        }
    here.run([&]() -> asio::awaitable<void> {
        co_await execute(
            on.schema(), "do $$ begin assert not exists (select from {schema}.requests); end $$");
    });
}

TEST_CASE("an instance that somebody has locked does not hold up the requests to others")
{
    const installation on;
    process here{on, test_dsn(), patient(on)};
    employ(here);
    here.run([&]() -> asio::awaitable<void> {
        const auto locked = co_await here.client().start(wait_for_word().id("locked"));
        const auto free = co_await here.client().start(wait_for_word().id("free"));
        const auto last = co_await here.client().start(wait_for_word().id("last"));
        for (const auto& each : {locked, free, last}) co_await wait_for_history(each, 2);
        pg::connection stranger =
            co_await pg::connection::connect(pg::connection_options{test_dsn()});
        co_await stranger.execute_script(pg::substitute_schema(
            "begin; select from {schema}.instances where id = 'locked' for update", on.schema()));
        // More than a look brings: the next looks are for others.
        co_await execute(
            on.schema(), "select {schema}.signal('locked', 'other') from generate_series(1, 300);"
                         "select {schema}.signal('locked', 'word');"
                         "select {schema}.signal('free', 'word')");
        co_await free.result();
        co_await execute(
            on.schema(), "select {schema}.signal('last', 'word')"); // while one is held up
        co_await last.result();
        co_await stranger.execute_script("rollback");
        co_await locked.result();
        const auto history = co_await locked.history();
        CHECK(std::ranges::count(history, event_type::signal_received, &event::type) == 301);
    });
}

TEST_CASE("a request that the server refuses is said to the logger, and holds up nobody else")
{
    const installation on;
    process here{on, test_dsn(), patient(on)};
    employ(here);
    here.run([&]() -> asio::awaitable<void> {
        co_await execute(on.schema(), "alter table {schema}.inbox add check (name <> 'refused')");
        const auto one = co_await here.client().start(wait_for_word().id("one"));
        const auto two = co_await here.client().start(wait_for_word().id("two"));
        co_await execute(
            on.schema(),
            "select {schema}.signal('one', 'refused'); select {schema}.signal('two', 'word')");
        co_await two.result();
    });
    here.run([&] { return wait_until([&] { return here.logged("cannot be delivered"); }); });
}

TEST_CASE("a worker that may not read requests says so, and does its other work")
{
    const installation on;
    const std::string role = on.schema() + "_worker";
    perdure::test::run([&]() -> asio::awaitable<void> {
        co_await execute(
            on.schema(),
            "create role " + role + " login; grant usage on schema {schema} to " + role +
                "; grant select, insert, update, delete on all tables in schema {schema} to " +
                role + "; revoke all on {schema}.requests from " + role);
    });
    process here{on, test_dsn() + " user=" + role, patient(on)};
    employ(here);
    here.run([&]() -> asio::awaitable<void> {
        const auto started = co_await here.client().start(wait_for_word());
        co_await started.signal(word);
        co_await started.result();
    });
    here.run([&] { return wait_until([&] { return here.logged("cannot look for requests"); }); });
    here.run([&] { return wait_until([&] { return here.logged("safety poll was refused"); }); });
    CHECK_FALSE(here.logged("no notifications arrive"));
    CHECK(here.running() == 1);
}
