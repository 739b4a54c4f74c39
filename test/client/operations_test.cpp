// What a client asks of instances that no worker runs, and what the database may answer.
#include "acceptance/installation.hpp"

#include <perdure/pg/error.hpp>
#include <perdure/workflow/context.hpp>
#include <perdure/workflow/definitions.hpp>
#include <perdure/workflow/task.hpp>

#include <doctest/doctest.h>

#include <optional>
#include <string>
#include <vector>

namespace asio = boost::asio;
using namespace perdure;
using namespace perdure::test;
using namespace std::chrono_literals;

namespace {

constexpr workflow<"parcel", void(std::string)> parcel;
constexpr signal<"weight", std::int64_t> weight;

asio::awaitable<void> execute(std::string sql)
{
    pg::connection session = co_await pg::connection::connect(pg::connection_options{test_dsn()});
    co_await session.execute_script(std::move(sql));
}

} // namespace

TEST_CASE(
    "what the server refuses is told to the one who sent it, in its words, and to no neighbour")
{
    const installation on;
    const std::string schema = pg::quote_identifier(on.schema());
    process here{on};
    here.run([&]() -> asio::awaitable<void> {
        co_await execute(
            "alter table " + schema + ".instances add check (id <> 'refused'); alter table " +
            schema + ".inbox add check (name <> 'refused')");
        std::size_t started = 0;
        std::size_t sent = 0;
        std::vector<std::string> refusals;
        const auto note = [&](std::size_t& count, std::exception_ptr failure) {
            try {
                if (failure) std::rethrow_exception(failure);
                ++count;
            } catch (const pg::error& refused) {
                CHECK(refused.code() == make_error_code(pg::errc::server_error));
                refusals.emplace_back(refused.what());
            }
        };
        for (const char* id : {"one", "refused", "two"}) // under way together
            asio::co_spawn(
                here.io(), here.client().start(parcel("x").id(id)),
                [&](std::exception_ptr failure, const instance<void>&) { note(started, failure); });
        co_await wait_until([&] { return started + refusals.size() == 3; });
        CHECK(started == 2);
        REQUIRE(refusals.size() == 1);
        CHECK(refusals[0].find("\"refused\"") != std::string::npos);
        CHECK(refusals[0].find("check constraint") != std::string::npos);
        refusals.clear();

        const auto one = here.client().get("one");
        for (const char* name : {"fine", "refused", "fine"})
            asio::co_spawn(
                here.io(), one.signal(name, payload::from_text("1")),
                [&](std::exception_ptr failure) { note(sent, failure); });
        co_await wait_until([&] { return sent + refusals.size() == 3; });
        CHECK(sent == 2);
        REQUIRE(refusals.size() == 1);
        CHECK(refusals[0].find("\"one\"") != std::string::npos);
        CHECK(refusals[0].find("check constraint") != std::string::npos);
        const auto state = co_await one.state();
        CHECK(state.pending_events == 2);
    });
}

TEST_CASE("a history is read in pages")
{
    const installation on;
    process here{on};
    here.add_worker().implement(parcel, [](context ctx, std::string) -> task<void> {
        for (int i = 0; i < 10; ++i) co_await ctx.receive(weight);
    });
    here.start_all();
    here.run([&]() -> asio::awaitable<void> {
        auto started = co_await here.client().start(parcel("x"));
        for (std::int64_t i = 0; i < 10; ++i) co_await started.signal(weight, i);
        co_await started.result();
        const auto whole = co_await started.history();
        std::vector<event> pages;
        for (bool more = true; more;) {
            const auto after = static_cast<std::int32_t>(pages.size());
            const auto page = co_await started.history({}, store::history_page{after, 5});
            CHECK(page.size() <= 5);
            more = page.size() == 5;
            pages.insert(pages.end(), page.begin(), page.end());
        }
        CHECK(pages == whole);
        const auto no_run = co_await started.history(7);
        CHECK(no_run.empty());
        for (const store::history_page wrong :
             {store::history_page{-1, 5}, store::history_page{0, 0}}) {
            bool refused = false;
            try {
                co_await started.history({}, wrong);
            } catch (const error& refusal) {
                refused = refusal.kind() == errc::invalid_argument;
            }
            CHECK(refused);
        }
    });
}

TEST_CASE("a listed instance is the one that was listed, though its id was used again")
{
    const installation on;
    process here{on};
    here.add_worker().implement(parcel, [](context, std::string) -> task<void> { co_return; });
    here.start_all();
    here.run([&]() -> asio::awaitable<void> {
        for (const char* what : {"first", "second"}) {
            auto started = co_await here.client().start(parcel(what).id("same"));
            co_await started.result();
        }
        const auto listed = co_await here.client().list();
        REQUIRE(listed.size() == 2);
        const auto older = co_await here.client().get(listed[1]).history();
        CHECK(older.front().data.text() == "[\"first\"]");
        const auto by_id = co_await here.client().get("same").history();
        CHECK(by_id.front().data.text() == "[\"second\"]");
    });
}

TEST_CASE("the history of a removed instance is not_found, whatever is known of it")
{
    const installation on;
    process here{on};
    here.add_worker().implement(parcel, [](context, std::string) -> task<void> { co_return; });
    here.start_all();
    here.run([&]() -> asio::awaitable<void> {
        auto started = co_await here.client().start(parcel("x").id("gone"));
        co_await started.result();
        co_await here.client().remove("gone");
        for (const std::optional<std::int32_t> run : {std::optional<std::int32_t>{}, {1}}) {
            bool refused = false;
            try {
                co_await started.history(run);
            } catch (const error& refusal) {
                refused = refusal.kind() == errc::not_found;
            }
            CHECK(refused);
        }
    });
}

TEST_CASE("a cancellation does not wait for one whose instance is locked")
{
    const installation on;
    const std::string schema = pg::quote_identifier(on.schema());
    process here{on};
    here.run([&]() -> asio::awaitable<void> {
        co_await here.client().start(parcel("x").id("locked"));
        co_await here.client().start(parcel("x").id("free"));
        pg::connection stranger =
            co_await pg::connection::connect(pg::connection_options{test_dsn()});
        const pg::statement begin{"begin"};
        const pg::statement lock{
            "select from " + schema + ".instances where id = 'locked' for update"};
        const pg::statement rollback{"rollback"};
        co_await stranger.execute(begin);
        co_await stranger.execute(lock);
        bool held_up = true;
        asio::co_spawn(
            here.io(), here.client().get("locked").cancel(), [&](std::exception_ptr failure) {
                CHECK_FALSE(failure);
                held_up = false;
            });
        co_await here.client().get("free").cancel();
        CHECK(held_up);
        co_await stranger.execute(rollback);
        co_await wait_until([&] { return !held_up; });
    });
}
