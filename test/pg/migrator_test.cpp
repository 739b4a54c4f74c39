#include "session.hpp"

#include <perdure/pg/identifier.hpp>
#include <perdure/pg/migrator.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/error.hpp>

#include <doctest/doctest.h>

using namespace perdure;
using namespace std::chrono_literals;
namespace asio = boost::asio;
using test::contains;

namespace {

constexpr std::string_view tables_up = "-- compatible_from: 0.1.0\n"
                                       "create table {schema}.a (id int primary key);\n"
                                       "insert into {schema}.a values (1);\n";
constexpr std::string_view tables_down = "drop table {schema}.a;\n";
constexpr std::string_view more_up = "-- What it adds.\n-- compatible_from: 0.2\n"
                                     "alter table {schema}.a add note text;\n";
constexpr std::string_view more_down = "alter table {schema}.a drop note;\n";

using files = std::vector<pg::migration_file>;

const files first{{"0001_tables.up.sql", tables_up}, {"0001_tables.down.sql", tables_down}};
const files both{
    {"0002_more.up.sql", more_up},
    {"0001_tables.up.sql", tables_up},
    {"0001_tables.down.sql", tables_down},
    {"0002_more.down.sql", more_down}};

asio::awaitable<std::int64_t> columns_of_a(pg::connection& c, std::string schema)
{
    const pg::statement count{"select count(*) from information_schema.columns where table_schema "
                              "= $1 and table_name = 'a'"};
    const pg::result r = co_await c.execute(count, schema);
    co_return r.get<std::int64_t>(0, 0);
}

pg::error refused(const files& f, std::string schema = "s", std::string version = "1")
{
    return test::failure_of([&] { pg::migrator{f, schema, version}; });
}

} // namespace

TEST_CASE("migrations are applied in order, once, and remembered with checksum and compatible_from")
{
    test::run([]() -> asio::awaitable<void> {
        pg::connection c = co_await test::connect();
        const std::string schema = unique_schema() + " \"x\"";
        const pg::migrator older{first, schema, "0.1.0"};
        const auto one = co_await older.up(c);
        REQUIRE(one.size() == 1);
        CHECK(one[0].version == 1);
        CHECK(one[0].name == "tables");
        CHECK(one[0].compatible_from == "0.1.0");
        CHECK(one[0].checksum.size() == 64);

        const pg::migrator newer{both, schema, "0.2.0"};
        const auto two = co_await newer.up(c);
        REQUIRE(two.size() == 1);
        CHECK(two[0].name == "more");
        CHECK(two[0].compatible_from == "0.2.0");
        const auto none = co_await newer.up(c);
        CHECK(none.empty());
        const auto columns = co_await columns_of_a(c, schema);
        CHECK(columns == 2);

        const pg::migration_status s = co_await newer.status(c);
        REQUIRE(s.applied.size() == 2);
        CHECK(s.applied[1].checksum == two[0].checksum);
        CHECK(s.applied[0].applied_at <= s.applied[1].applied_at);
        CHECK(s.pending.empty());
        co_await newer.check(c);
        CHECK(c.clean());
    });
}

TEST_CASE("migrations are taken back newest first, and can be applied again")
{
    test::run([]() -> asio::awaitable<void> {
        pg::connection c = co_await test::connect();
        const std::string schema = unique_schema();
        const pg::migrator m{both, schema, "0.2.0"};
        co_await m.up(c);
        const auto last = co_await m.down(c, 1);
        REQUIRE(last.size() == 1);
        CHECK(last[0].name == "more");
        const auto left = co_await columns_of_a(c, schema);
        CHECK(left == 1);
        co_await m.up(c);
        const auto all = co_await m.down(c, 0);
        REQUIRE(all.size() == 2);
        CHECK(all[0].version == 2);
        CHECK(all[1].version == 1);
        const auto nothing = co_await columns_of_a(c, schema);
        CHECK(nothing == 0);
        const auto again = co_await m.up(c);
        CHECK(again.size() == 2);
    });
}

TEST_CASE("a schema that is not there, or not complete, is one clear sentence")
{
    test::run([]() -> asio::awaitable<void> {
        pg::connection c = co_await test::connect();
        const std::string schema = unique_schema();
        const pg::migrator newer{both, schema, "0.2.0"};
        const pg::error missing = co_await test::failure_of(newer.check(c));
        CHECK(missing.code() == pg::errc::schema_missing);
        CHECK(
            std::string{missing.what()} == "schema \"" + schema +
                                               "\" is not there: run `perdure migrate --schema " +
                                               schema + "`");
        const pg::migration_status s = co_await newer.status(c);
        CHECK(s.applied.empty());
        CHECK(s.pending == std::vector<std::string>{"0001_tables.up.sql", "0002_more.up.sql"});

        const pg::migrator older{first, schema, "0.1.0"};
        co_await older.up(c);
        const pg::error incomplete = co_await test::failure_of(newer.check(c));
        CHECK(incomplete.code() == pg::errc::schema_missing);
        CHECK(contains(incomplete.what(), "lacks the migration 0002_more.up.sql"));
    });
}

TEST_CASE("a schema whose compatible_from is newer than the library is refused, by check and by up")
{
    test::run([]() -> asio::awaitable<void> {
        pg::connection c = co_await test::connect();
        const std::string schema = unique_schema();
        const pg::migrator newer{both, schema, "0.2.0"};
        co_await newer.up(c);
        const pg::migrator older{first, schema, "0.1.9"};
        const pg::error check = co_await test::failure_of(older.check(c));
        CHECK(check.code() == pg::errc::schema_too_new);
        CHECK(contains(check.what(), "needs version 0.2.0 of the library"));
        CHECK(contains(check.what(), "this is 0.1.9"));
        const pg::error up = co_await test::failure_of(older.up(c));
        CHECK(up.code() == pg::errc::schema_too_new);
        // An old file list with a compatible version may go on: old and new share a database.
        const pg::migrator compatible{first, schema, "0.2.1"};
        co_await compatible.check(c);
    });
}

TEST_CASE("a file that was changed after it was applied is refused by name")
{
    test::run([]() -> asio::awaitable<void> {
        pg::connection c = co_await test::connect();
        const std::string schema = unique_schema();
        const pg::migrator original{first, schema, "0.2.0"};
        co_await original.up(c);
        files changed = both;
        const std::string text = std::string{tables_up} + "-- a remark\n";
        changed[1].text = text;
        const pg::migrator m{changed, schema, "0.2.0"};
        const pg::error up = co_await test::failure_of(m.up(c));
        CHECK(up.code() == pg::errc::migration_changed);
        CHECK(contains(up.what(), "0001_tables.up.sql"));
        const pg::error check = co_await test::failure_of(m.check(c));
        CHECK(check.code() == pg::errc::migration_changed);
    });
}

TEST_CASE("a failing file changes nothing, is named with its line, and those before it stay")
{
    test::run([]() -> asio::awaitable<void> {
        pg::connection c = co_await test::connect();
        const std::string schema = unique_schema();
        files broken = first;
        broken.push_back({"0002_broken.up.sql", "drop table {schema}.a;\nselect nonsense;\n"});
        const pg::migrator m{broken, schema, "0.1.0"};
        const pg::error e = co_await test::failure_of(m.up(c));
        CHECK(e.code() == pg::errc::server_error);
        CHECK(e.sqlstate() == "42703");
        CHECK(contains(e.what(), "migration 0002_broken.up.sql: line 2: "));
        const auto columns = co_await columns_of_a(c, schema);
        CHECK(columns == 1);
        const pg::migration_status s = co_await m.status(c);
        CHECK(s.applied.size() == 1);
        CHECK(c.clean());

        // The lock was given up: another session can take it.
        pg::connection other = co_await test::connect();
        const pg::migrator sound{first, schema, "0.1.0"};
        const auto nothing = co_await sound.up(other);
        CHECK(nothing.empty());
    });
}

TEST_CASE("a migration and the record of it are one transaction")
{
    test::run([]() -> asio::awaitable<void> {
        pg::connection c = co_await test::connect();
        const std::string schema = unique_schema();
        files unrecordable = first;
        unrecordable.push_back(
            {"0002_more.up.sql",
             "alter table {schema}.a add note text; alter table {schema}.migrations drop name;"});
        const pg::migrator m{unrecordable, schema, "0.1.0"};
        const pg::error e = co_await test::failure_of(m.up(c));
        CHECK(e.sqlstate() == "42703");
        const auto columns = co_await columns_of_a(c, schema);
        CHECK(columns == 1);
    });
}

TEST_CASE("a failing file is what is reported, even if the lock cannot be released then")
{
    test::run([]() -> asio::awaitable<void> {
        pg::connection c = co_await test::connect();
        const files breaks{
            {"0001_breaks.up.sql",
             "create function {schema}.hashtextextended(text, bigint) returns bigint language sql\n"
             "as 'select (1 / 0)::bigint';\n"
             "commit;\n"
             "begin;\n"
             "set search_path = {schema}, pg_catalog;\n"
             "commit;\n"
             "select nonsense;\n"}};
        const pg::migrator broken{breaks, unique_schema(), "1"};
        const pg::error e = co_await test::failure_of(broken.up(c));
        CHECK(e.sqlstate() == "42703");
        CHECK(contains(e.what(), "0001_breaks.up.sql"));
    });
}

TEST_CASE("a schema that is there is migrated without the privilege to create one")
{
    test::run([]() -> asio::awaitable<void> {
        pg::connection c = co_await test::connect();
        const std::string schema = unique_schema();
        co_await c.execute_script(pg::substitute_schema(
            "create role {schema}; create schema {schema} authorization {schema};"
            "set role {schema}",
            schema));
        const pg::migrator m{first, schema, "1"};
        const auto applied = co_await m.up(c);
        CHECK(applied.size() == 1);
        const pg::migrator elsewhere{first, unique_schema(), "1"};
        const pg::error e = co_await test::failure_of(elsewhere.up(c));
        CHECK(e.sqlstate() == "42501");
        co_await c.execute_script(pg::substitute_schema(
            "reset role; drop owned by {schema}; drop role {schema}", schema));
    });
}

TEST_CASE("a migration may be silent for longer than anything else")
{
    test::run([]() -> asio::awaitable<void> {
        pg::connection_options options = test::test_connection();
        options.response_timeout(50ms);
        pg::connection c = co_await pg::connection::connect(options);
        const files slow{
            {"0001_slow.up.sql", "select pg_sleep(0.2);"},
            {"0001_slow.down.sql", "select pg_sleep(0.2);"}};
        const pg::migrator m{slow, unique_schema(), "1"};
        const auto applied = co_await m.up(c);
        CHECK(applied.size() == 1);
        CHECK(c.response_timeout() == 50ms);
        const auto taken_back = co_await m.down(c, 0);
        CHECK(taken_back.size() == 1);
    });
}

TEST_CASE("of several processes that migrate at once one does it and the others find it done")
{
    asio::io_context io{1};
    const std::string schema = unique_schema();
    const pg::migrator m{both, schema, "0.2.0"};
    int left = 4;
    std::size_t applied = 0;
    const auto migrate = [&]() -> asio::awaitable<void> {
        pg::connection c = co_await test::connect();
        const auto done = co_await m.up(c);
        applied += done.size();
        --left;
    };
    test::run(io, [&]() -> asio::awaitable<void> {
        for (int i = 0; i < 4; ++i)
            asio::co_spawn(io, migrate(), [](std::exception_ptr e) { CHECK(!e); });
        co_await test::wait_until([&] { return left == 0; });
    });
    CHECK(applied == 2);
}

TEST_CASE("who waits too long for another migration is told so")
{
    test::run([]() -> asio::awaitable<void> {
        pg::connection holder = co_await test::connect();
        pg::connection c = co_await test::connect();
        const std::string schema = unique_schema();
        const pg::statement take{"select pg_advisory_lock(hashtextextended($1, 0))"};
        co_await holder.execute(take, "perdure migrations of " + schema);
        const pg::migrator m = pg::migrator{first, schema, "0.1.0"}.lock_timeout(10ms);
        const pg::error e = co_await test::failure_of(m.up(c));
        CHECK(e.code() == pg::errc::migration_busy);
        CHECK(contains(e.what(), schema));
    });
}

TEST_CASE("a migration that is cancelled leaves neither lock nor limit behind")
{
    asio::io_context io{1};
    const std::string schema = unique_schema();
    const files contended{
        {"0001_tables.up.sql", tables_up},
        {"0002_more.up.sql", "set local lock_timeout = '10ms'; alter table {schema}.a add b int;"}};
    test::run(io, [&]() -> asio::awaitable<void> {
        pg::connection holder = co_await test::connect();
        pg::connection c = co_await test::connect();
        const pg::migrator before{first, schema, "1"};
        co_await before.up(c);
        co_await holder.execute_script(
            pg::substitute_schema("begin; lock table {schema}.a", schema));

        const pg::migrator m = pg::migrator{contended, schema, "1"}.lock_timeout(10s);
        asio::cancellation_signal cancel;
        std::optional<boost::system::error_code> ended;
        asio::co_spawn(
            io, m.up(c),
            asio::bind_cancellation_slot(cancel.slot(), [&](std::exception_ptr e, auto) {
                ended.emplace();
                try {
                    if (e) std::rethrow_exception(e);
                } catch (const boost::system::system_error& failure) {
                    ended = failure.code();
                }
            }));
        co_await test::wait_until([&] { return !c.clean(); });
        co_await test::wait_until([&] { return c.clean(); }); // it pauses between two tries
        cancel.emit(asio::cancellation_type::terminal);
        co_await test::wait_until([&] { return ended.has_value(); });
        CHECK(*ended == asio::error::operation_aborted);
        CHECK(!c.usable());
        CHECK(c.response_timeout() == test::test_connection().response_timeout());

        co_await holder.execute_script("rollback");
        pg::connection other = co_await test::connect();
        const auto applied = co_await m.up(other);
        CHECK(applied.size() == 1);
    });
}

TEST_CASE("file lists that cannot be right are refused before anything is done")
{
    CHECK(contains(refused({{"tables.sql", ""}}).what(), "\"tables.sql\" is not named like"));
    CHECK(contains(refused({{"0000_zero.up.sql", ""}}).what(), "is not named like"));
    CHECK(contains(refused({{"0002_more.up.sql", ""}}).what(), "number 1 is missing"));
    CHECK(contains(refused({{"0001_a.down.sql", ""}}).what(), "has no up file"));
    CHECK(
        contains(refused({{"0001_a.up.sql", ""}, {"0001_b.up.sql", ""}}).what(), "0001_b.up.sql"));
    CHECK(contains(refused(first, "").what(), "empty"));
    CHECK(contains(refused(first, "s", "one").what(), "\"one\" is not a version"));
    CHECK(contains(
        refused({{"0001_a.up.sql", "-- compatible_from: new\n"}}).what(),
        "\"new\" is not a version"));
}

TEST_CASE("versions are compared number by number")
{
    using version = pg::library_version;
    CHECK(version{"0.10.0"} > version{"0.9.9"});
    CHECK(version{"1"} == version{"1.0.0"});
    CHECK(version{"1.2"} < version{"1.2.1"});
    CHECK(version{"1.2"}.to_string() == "1.2.0");
    for (const std::string_view wrong : {"", "1.", ".1", "1.2.3.4", "-1", "1.x"})
        CHECK(test::failure_of([&] { version{wrong}; }).code() == pg::errc::bad_value);
}
