// Bad input gets one clear sentence that names the thing and what to do, at the call that caused
// it; nothing is written.
#include "acceptance/installation.hpp"

#include <perdure/pg/error.hpp>
#include <perdure/workflow/definitions.hpp>

#include <doctest/doctest.h>

#include <functional>
#include <string>

namespace asio = boost::asio;
using namespace perdure;
using namespace perdure::test;
using namespace std::chrono_literals;

namespace {

constexpr workflow<"order", void(std::string)> order;

/// What a start through an engine like this says.
struct refusal
{
    boost::system::error_code code;
    std::string sentence;
};

asio::awaitable<void> start_one(perdure::client client)
{
    co_await client.start(order("x"));
}

refusal refused(const std::function<void()>& attempt)
{
    try {
        attempt();
    } catch (const boost::system::system_error& error) {
        return {error.code(), error.what()};
    }
    return {};
}

refusal refused_start(const std::string& dsn, engine_options options)
{
    return refused([&] {
        asio::io_context io{1};
        engine on{io, dsn, std::move(options.log({}))};
        perdure::test::run(io, start_one(client{on}));
    });
}

bool says(const refusal& what, std::string_view part)
{
    return what.sentence.find(part) != std::string::npos;
}

asio::awaitable<void> execute(std::string sql)
{
    pg::connection_options options{test_dsn()};
    pg::connection session = co_await pg::connection::connect(std::move(options));
    co_await session.execute_script(std::move(sql));
}

asio::awaitable<std::int64_t> count_instances(std::string schema)
{
    pg::connection_options options{test_dsn()};
    pg::connection session = co_await pg::connection::connect(std::move(options));
    const pg::statement count{
        "select count(*) from " + pg::quote_identifier(schema) + ".instances"};
    const pg::result counted = co_await session.execute(count);
    co_return counted.get<std::int64_t>(0, 0);
}

} // namespace

TEST_CASE("a connection string that cannot be understood is named")
{
    const refusal what = refused_start("host=/tmp no_such_option=1", engine_options{});
    CHECK(what.code == pg::errc::connect_failed);
    CHECK(says(what, "no_such_option"));
}

TEST_CASE("a server that is down is named, with its address and what to do")
{
    const refusal what =
        refused_start("host=/var/empty/nowhere port=5999 dbname=shop", engine_options{});
    CHECK(what.code == pg::errc::connect_failed);
    CHECK(says(what, "/var/empty/nowhere"));
    CHECK(says(what, "5999"));
}

TEST_CASE("a database without the schema is told to be migrated")
{
    engine_options options;
    options.schema(unique_schema());
    const refusal what = refused_start(test_dsn(), options);
    CHECK(what.code == pg::errc::schema_missing);
    CHECK(says(what, options.schema()));
    CHECK(says(what, "perdure migrate"));
}

TEST_CASE("a schema that needs a newer library is refused, with both versions")
{
    const installation on;
    perdure::test::run(execute(
        "update " + pg::quote_identifier(on.schema()) +
        ".migrations set compatible_from = '99.1.0'"));
    const refusal what = refused_start(test_dsn(), on.options());
    CHECK(what.code == pg::errc::schema_too_new);
    CHECK(says(what, on.schema()));
    CHECK(says(what, "99.1.0"));
}

TEST_CASE("ids, names and payloads over their limits are refused where they are given, and nothing "
          "is written")
{
    const installation on;
    process here{on};
    const auto starting = [&](auto call) {
        return refused([&] { here.run([&] { return here.client().start(std::move(call)); }); });
    };
    SUBCASE("an id that is too long")
    {
        const refusal what =
            refused([] { static_cast<void>(order("x").id(std::string(256, 'a'))); });
        CHECK(what.code == make_error_code(errc::invalid_argument));
        CHECK(says(what, "255"));
    }
    SUBCASE("an empty id")
    {
        const refusal what = refused([] { static_cast<void>(order("x").id("")); });
        CHECK(what.code == make_error_code(errc::invalid_argument));
    }
    SUBCASE("a queue's name that is not allowed")
    {
        const refusal what = refused([] { static_cast<void>(order("x").queue("a queue")); });
        CHECK(what.code == make_error_code(errc::invalid_argument));
        CHECK(says(what, "a queue"));
    }
    SUBCASE("arguments that are too large")
    {
        const refusal what = refused([] { static_cast<void>(order(std::string(3 << 20, 'a'))); });
        CHECK(what.code == make_error_code(errc::payload_too_large));
        CHECK(says(what, "order"));
    }
    SUBCASE("a text that is not UTF-8")
    {
        const refusal what = refused([] { static_cast<void>(order("\xff")); });
        CHECK(what.code == make_error_code(errc::malformed_payload));
    }
    SUBCASE("a signal's value that is no JSON")
    {
        const refusal what = refused([&] {
            here.run([&] {
                return here.client().get("nobody").signal("word", payload::from_text("{\"a\":"));
            });
        });
        CHECK(what.code == make_error_code(errc::malformed_payload));
        CHECK(says(what, "word"));
    }
    SUBCASE("an id that is in use")
    {
        here.run([&]() -> asio::awaitable<void> {
            auto call = order("x").id("taken");
            co_await here.client().start(std::move(call));
        });
        const refusal what = starting(order("y").id("taken"));
        CHECK(what.code == make_error_code(errc::already_exists));
        CHECK(says(what, "taken"));
        CHECK(perdure::test::run(count_instances(on.schema())) == 1);
        return;
    }
    CHECK(perdure::test::run(count_instances(on.schema())) == 0);
}

TEST_CASE("a worker's options that make no sense are refused when it is made")
{
    const installation on;
    process here{on};
    for (const worker_options& options :
         {worker_options{}.queues({}), worker_options{}.queues({"no spaces"}),
          worker_options{}.workflow_slots(0), worker_options{}.activity_slots(0),
          worker_options{}.threads(0), worker_options{}.lease(5ms)}) {
        const refusal what = refused([&] { worker made{here.engine(), options}; });
        CHECK(what.code == make_error_code(errc::invalid_argument));
    }
}
