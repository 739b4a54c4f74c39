// Starts, signals and cancellations in a transaction of the caller's: all of it, or nothing.
#include "acceptance/installation.hpp"

#include <perdure/pg/identifier.hpp>
#include <perdure/pg/transaction.hpp>
#include <perdure/workflow/context.hpp>
#include <perdure/workflow/definitions.hpp>
#include <perdure/workflow/task.hpp>

#include <doctest/doctest.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace asio = boost::asio;
using namespace perdure;
using namespace perdure::test;
using namespace std::chrono_literals;

namespace {

constexpr workflow<"greet", std::string(std::string)> greet;
constexpr signal<"name", std::string> name;
constexpr signal<"go"> go;

task<std::string> run_greet(context ctx, std::string word)
{
    const std::string whom = co_await ctx.receive(name);
    co_await ctx.receive(go);
    co_return word + " " + whom;
}

asio::awaitable<pg::connection> connect()
{
    return pg::connection::connect(pg::connection_options{test_dsn()});
}

/// What an operation is refused with.
asio::awaitable<std::optional<errc>> refusal(asio::awaitable<void> operation)
{
    std::optional<errc> said;
    try {
        co_await std::move(operation);
    } catch (const error& refused) {
        said = refused.kind();
    }
    co_return said;
}

asio::awaitable<void> start_and_forget(client on, pg::transaction* within, std::string id)
{
    co_await on.start(*within, greet("again").id(std::move(id)));
}

/// How many rows there are that a transaction may have left.
asio::awaitable<std::int64_t> rows(std::string schema)
{
    pg::connection session = co_await connect();
    std::int64_t sum = 0;
    for (const char* const table : {"instances", "history", "workflow_tasks", "requests"}) {
        const pg::statement count{
            "select count(*) from " + pg::quote_identifier(schema) + "." + table};
        const pg::result counted = co_await session.execute(count);
        sum += counted.get<std::int64_t>(0, 0);
    }
    co_return sum;
}

} // namespace

TEST_CASE("what is started and signalled in a transaction happens when that is committed")
{
    for (const setting how : every_setting) {
        CAPTURE(to_string(how));
        const installation on{how};
        process here{on, test_dsn(), patient(on)};
        here.add_worker().implement(greet, run_greet);
        here.start_all();
        here.run([&]() -> asio::awaitable<void> {
            pg::connection session = co_await connect();
            pg::transaction together = co_await session.begin();
            const auto started =
                co_await here.client().start(together, greet("hello").id("greeting"));
            CHECK(started.id() == "greeting");
            co_await started.signal(together, name, "you");
            co_await started.signal(together, go);
            const auto seen_by_others = co_await rows(on.schema());
            CHECK(seen_by_others == 0);
            co_await together.commit();
            const std::string result = co_await started.result();
            CHECK(result == "hello you");
        });
    }
}

TEST_CASE("nothing remains of a transaction that is rolled back")
{
    const installation on;
    process here{on};
    here.run([&]() -> asio::awaitable<void> {
        const auto other = co_await here.client().start(greet("other").id("other"));
        const auto before = co_await rows(on.schema());
        pg::connection session = co_await connect();
        {
            pg::transaction together = co_await session.begin();
            const auto started = co_await here.client().start(together, greet("hello"));
            co_await started.signal(together, name, "you");
            co_await other.signal(together, name, "you");
            co_await other.cancel(together);
            co_await together.rollback();
            const auto said = co_await refusal(started.signal(name, "you"));
            CHECK(said == errc::not_found);
        }
        const auto after = co_await rows(on.schema());
        CHECK(after == before);
    });
}

TEST_CASE("what cannot be started or signalled is refused, and the transaction goes on")
{
    const installation on;
    process here{on};
    here.run([&]() -> asio::awaitable<void> {
        const client& here_client = here.client();
        co_await here_client.start(greet("first").id("taken"));
        pg::connection session = co_await connect();
        pg::transaction together = co_await session.begin();
        auto said = co_await refusal(start_and_forget(here_client, &together, "taken"));
        CHECK(said == errc::already_exists);
        said = co_await refusal(
            here_client.get("nobody").signal(together, "name", payload::from_text("1")));
        CHECK(said == errc::not_found);
        said = co_await refusal(here_client.get("nobody").cancel(together));
        CHECK(said == errc::not_found);
        said = co_await refusal(
            here_client.get("taken").signal(together, "a b", payload::from_text("1")));
        CHECK(said == errc::invalid_argument);
        said = co_await refusal(
            here_client.get("taken").signal(together, "name", payload::from_text("{")));
        CHECK(said == errc::malformed_payload);
        said = co_await refusal(untyped_instance{}.cancel(together));
        CHECK(said == errc::invalid_argument);
        CHECK(together.open());
        co_await start_and_forget(here_client, &together, "mine");
        said =
            co_await refusal(start_and_forget(here_client, &together, "mine")); // it sees its own
        CHECK(said == errc::already_exists);
        co_await together.commit();
        const auto state = co_await here_client.get("mine").state();
        CHECK(state.history_length == 1);
    });
}

TEST_CASE("a codec's output goes through a transaction as it is")
{
    const installation on;
    process here{on};
    const std::vector<std::byte> coded{std::byte{0}, std::byte{0xff}, std::byte{0}, std::byte{1}};
    here.run([&]() -> asio::awaitable<void> {
        pg::connection session = co_await connect();
        pg::transaction together = co_await session.begin();
        workflow_call<std::string> call{"greet", payload::from_bytes(coded)};
        const auto started = co_await here.client().start(together, std::move(call));
        const untyped_instance untyped = started;
        co_await untyped.signal(together, "name", payload::from_bytes(coded));
        co_await together.commit();
        const auto history = co_await started.history();
        CHECK(history.at(0).data == payload::from_bytes(coded));
        const pg::statement written{
            "select data from " + pg::quote_identifier(on.schema()) + ".requests"};
        const pg::result row = co_await session.execute(written);
        CHECK(row.get<pg::bytes>(0, 0) == coded);
    });
}

TEST_CASE("a cancellation in a transaction reaches its instance")
{
    const installation on;
    process here{on, test_dsn(), patient(on)};
    here.add_worker().implement(greet, run_greet);
    here.start_all();
    here.run([&]() -> asio::awaitable<void> {
        const auto started = co_await here.client().start(greet("hello"));
        pg::connection session = co_await connect();
        pg::transaction together = co_await session.begin();
        co_await started.cancel(together);
        co_await together.commit();
        bool cancelled_itself = false;
        try {
            co_await started.result();
        } catch (const cancelled&) {
            cancelled_itself = true;
        }
        CHECK(cancelled_itself);
    });
}

TEST_CASE("a schema that is not there is said without ending the transaction")
{
    const installation on;
    engine_options options = on.options();
    options.schema("not_there");
    process here{on, test_dsn(), options};
    here.run([&]() -> asio::awaitable<void> {
        pg::connection session = co_await connect();
        pg::transaction together = co_await session.begin();
        bool refused = false;
        try {
            co_await here.client().start(together, greet("hello"));
        } catch (const pg::error& failure) {
            refused = failure.code() == make_error_code(pg::errc::schema_missing);
        }
        CHECK(refused);
        CHECK(together.open());
        co_await together.rollback();
    });
}
