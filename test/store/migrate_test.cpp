// The schema: made once, checked by every process, and taken back.
#include "workbench.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>

using namespace perdure;
using namespace perdure::store;

TEST_CASE("migrating makes the schema, and does nothing the second time")
{
    const std::string schema = unique_schema();
    test::run([&]() -> asio::awaitable<void> {
        pg::connection session =
            co_await pg::connection::connect(pg::connection_options{test_dsn()});
        const auto first = co_await migrate(session, schema);
        CHECK(first.size() == 8);
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
        CHECK(back.size() == 8);
        const pg::result left = co_await session.execute(
            on.sql("select count(*) from pg_class join pg_namespace as space "
                   "on space.oid = relnamespace where space.nspname = {schema:literal} "
                   "and relkind = 'r'"));
        CHECK(left.get<std::int64_t>(0, 0) == 1); // the migrator's own
        const auto again = co_await migrate(session, on.schema());
        CHECK(again.size() == 8);
    });
    CHECK(bench.count("instances") == 0);
}

TEST_CASE("a migration is taken back and applied again around what is there")
{
    const installation on;
    workbench bench{on};
    bench.start_finished("cancelled", finish::kind::cancelled);
    bench.start_finished("completed");
    bench.start("one");
    bench.signal("one");
    bench.complete(workbench::scheduling(bench.claim_one(), 2));
    const auto history = bench.wait(bench.store.history("one"));
    bench.run([&]() -> asio::awaitable<void> {
        pg::connection session = co_await pg::connection::connect(on.options());
        const pg::migrator migrator = make_migrator(on.schema());
        for (std::int32_t version = 7; version > 0; --version) {
            const auto back = co_await migrator.down(session, version);
            CHECK(back.size() == 1);
        }
        const auto again = co_await migrate(session, on.schema());
        CHECK(again.size() == 7);
    });
    CHECK(bench.wait(bench.store.history("one")) == history);
    CHECK(bench.claim_activities().size() == 2);
    CHECK(bench.wait(bench.store.state("completed"))->status == instance_status::completed);
    CHECK(bench.wait(bench.store.state("cancelled"))->status == instance_status::failed);
    CHECK(bench.cancel("one") == signal_status::delivered);
    CHECK(
        bench.complete(workbench::finishing(bench.claim_one())).status ==
        completion_status::confirmed);
    CHECK(bench.remove("cancelled") == removal::removed);
}

TEST_CASE("a migration gives way to a claim that wants its tables the other way round")
{
    const installation on;
    workbench bench{on};
    bench.start("one");
    bench.run([&]() -> asio::awaitable<void> {
        pg::connection session = co_await pg::connection::connect(on.options());
        const pg::migrator migrator = make_migrator(on.schema());
        co_await migrator.down(session, 2);
        by_hand claim = co_await by_hand::connect(on);
        by_hand other = co_await by_hand::connect(on);
        co_await claim("begin");
        co_await claim("update {schema}.workflow_tasks set attempt = attempt + 1");
        const auto done = spawn(bench.io, migrator.up(session));
        co_await other.until_blocked();
        co_await claim("select id from {schema}.instances");
        co_await other("select instance from {schema}.workflow_tasks"); // it queues nobody for long
        std::set<timestamp> tries;
        while (tries.size() < 2) {
            const pg::result waiting = co_await other(
                "select xact_start from pg_stat_activity where wait_event_type = 'Lock' "
                "and position({schema:literal} in query) > 0");
            if (waiting.size() > 0) tries.insert(waiting.get<timestamp>(0, 0));
        }
        CHECK_FALSE(done->has_value());
        co_await claim("commit");
        co_await test::wait_until([&] { return done->has_value(); });
    });
    CHECK(
        bench.complete(workbench::finishing(bench.claim_one())).status ==
        completion_status::confirmed);
}

TEST_CASE("a migration that somebody stays in the way of says so in the end, and changes nothing")
{
    const installation on;
    test::run([&]() -> asio::awaitable<void> {
        pg::connection session = co_await pg::connection::connect(on.options());
        pg::migrator migrator = make_migrator(on.schema());
        co_await migrator.down(session, 2);
        by_hand reader = co_await by_hand::connect(on);
        co_await reader("begin");
        co_await reader("select k from {schema}.instances");
        migrator.lock_timeout(100ms);
        std::string state, words;
        try {
            co_await migrator.up(session);
        } catch (const pg::error& failure) {
            state = failure.diagnostics().sqlstate;
            words = failure.what();
        }
        CHECK(state == "55P03");
        CHECK(words.find("0003_cancellation.up.sql") != std::string::npos);
        co_await reader("rollback");
        const auto applied = co_await migrator.up(session); // on the same connection
        CHECK(applied.size() == 6);
    });
}

TEST_CASE("the statements of the version before can be run on the schema of this one")
{
    const installation on;
    std::size_t statements = 0;
    test::run([&]() -> asio::awaitable<void> {
        by_hand session = co_await by_hand::connect(on);
        const std::filesystem::path earlier{std::string{PERDURE_TEST_DIR} + "/store/earlier"};
        for (const auto& entry : std::filesystem::directory_iterator{earlier}) {
            CAPTURE(entry.path().filename().string());
            std::ifstream file{entry.path()};
            const std::string sql{std::istreambuf_iterator<char>{file}, {}};
            co_await session("prepare statement_" + std::to_string(++statements) + " as " + sql);
        }
    });
    CHECK(statements > 0);
}

TEST_CASE("an index that is made concurrently and a migration do not wait for each other")
{
    const installation on;
    workbench bench{on};
    SUBCASE("the obvious way: waiting in the lock keeps a snapshot, which the index waits for")
    {
        bench.run([&]() -> asio::awaitable<void> {
            by_hand first = co_await by_hand::connect(on);
            by_hand second = co_await by_hand::connect(on);
            by_hand watcher = co_await by_hand::connect(on);
            co_await first("select pg_advisory_lock(hashtext({schema:literal}))");
            bool waited = false;
            bool indexed = false;
            std::size_t deadlocks = 0;
            asio::co_spawn(
                bench.io, second("select pg_advisory_lock(hashtext({schema:literal}))"),
                [&](std::exception_ptr failure, pg::result) {
                    waited = true;
                    if (failure) ++deadlocks;
                });
            co_await watcher.until_blocked();
            asio::co_spawn(
                bench.io, first("create index concurrently on {schema}.instances (workflow)"),
                [&](std::exception_ptr failure, pg::result) {
                    indexed = true;
                    if (failure) ++deadlocks;
                });
            co_await test::wait_until([&] { return indexed; });
            co_await first("select pg_advisory_unlock_all()");
            co_await test::wait_until([&] { return waited; });
            CHECK(deadlocks == 1);
        });
    }
    SUBCASE("the migrator's way: it asks for the lock again and again")
    {
        bench.run([&]() -> asio::awaitable<void> {
            pg::connection holder = co_await pg::connection::connect(on.options());
            pg::connection waiter = co_await pg::connection::connect(on.options());
            const pg::migrator migrator = make_migrator(on.schema());
            bool done = false;
            const std::string name = "perdure migrations of " + on.schema();
            co_await holder.execute(
                pg::statement{"select pg_advisory_lock(hashtextextended($1, 0))"}, name);
            asio::co_spawn(
                bench.io, migrator.up(waiter),
                [&](std::exception_ptr failure, std::vector<pg::applied_migration>) {
                    CHECK_FALSE(failure);
                    done = true;
                });
            co_await holder.execute(
                on.sql("create index concurrently on {schema}.instances (workflow)"));
            CHECK_FALSE(done);
            co_await holder.execute(
                pg::statement{"select pg_advisory_unlock(hashtextextended($1, 0))"}, name);
            co_await test::wait_until([&] { return done; });
        });
    }
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
