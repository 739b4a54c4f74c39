// The schema: made once, checked by every process, and taken back.
#include "workbench.hpp"

#include <doctest/doctest.h>

using namespace perdure;
using namespace perdure::store;

TEST_CASE("migrating makes the schema, and does nothing the second time")
{
    const std::string schema = unique_schema();
    test::run([&]() -> asio::awaitable<void> {
        pg::connection session =
            co_await pg::connection::connect(pg::connection_options{test_dsn()});
        const auto first = co_await migrate(session, schema);
        CHECK(first.size() == 3);
        const auto second = co_await migrate(session, schema);
        CHECK(second.empty());
    });
}

TEST_CASE("every migration can be taken back, and applied again")
{
    const installation on;
    workbench bench{on};
    bench.start("one");
    bench.run([&]() -> asio::awaitable<void> {
        pg::connection session = co_await pg::connection::connect(on.options());
        const pg::migrator migrator = make_migrator(on.schema());
        const auto back = co_await migrator.down(session, 0);
        CHECK(back.size() == 3);
        const pg::result left = co_await session.execute(
            on.sql("select count(*) from pg_class join pg_namespace as space "
                   "on space.oid = relnamespace where space.nspname = {schema:literal} "
                   "and relkind = 'r'"));
        CHECK(left.get<std::int64_t>(0, 0) == 1); // the migrator's own
        const auto again = co_await migrate(session, on.schema());
        CHECK(again.size() == 3);
    });
    CHECK(bench.count("instances") == 0);
}

TEST_CASE("a schema that is not there is said so, in one sentence that says what to do")
{
    const installation on;
    workbench bench{on};
    CHECK_NOTHROW(
        bench.run([&]() -> asio::awaitable<void> { co_await bench.store.check_schema(); }));
    asio::io_context io;
    pg::pool pool{io.get_executor(), pg::pool_options{on.options()}};
    recorder announcements;
    perdure::store::store elsewhere{pool, "not_there", announcements};
    try {
        test::run(io, elsewhere.check_schema());
        FAIL("the schema is not there");
    } catch (const pg::error& failure) {
        CHECK(failure.code() == pg::errc::schema_missing);
        CHECK(std::string{failure.what()}.find("not_there") != std::string::npos);
    }
    pool.close();
}

TEST_CASE("a schema that needs a newer library is refused")
{
    const installation on;
    workbench bench{on};
    bench.execute("update {schema}.migrations set compatible_from = '99.0.0'");
    try {
        bench.run([&]() -> asio::awaitable<void> { co_await bench.store.check_schema(); });
        FAIL("the schema is too new");
    } catch (const pg::error& failure) {
        CHECK(failure.code() == pg::errc::schema_too_new);
        CHECK(std::string{failure.what()}.find("99.0.0") != std::string::npos);
    }
}

TEST_CASE("several installations share a database, whatever their names are")
{
    const std::string name = unique_schema() + " \"odd\" {schema} 'name'";
    test::run([&]() -> asio::awaitable<void> {
        pg::connection session =
            co_await pg::connection::connect(pg::connection_options{test_dsn()});
        co_await migrate(session, name);
    });
    asio::io_context io;
    pg::pool pool{io.get_executor(), pg::pool_options{pg::connection_options{test_dsn()}}};
    recorder announcements;
    perdure::store::store odd{pool, name, announcements};
    CHECK(
        test::run(io, odd.create({workbench::request("one")})).at(0).status ==
        created::status::created);
    CHECK(test::run(io, odd.claim_workflow_tasks(workbench::asking("q"))).tasks.size() == 1);
    const installation other;
    workbench bench{other};
    CHECK(bench.claim().empty());
    pool.close();
}
