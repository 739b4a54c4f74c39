#include "session.hpp"

#include "../proxy.hpp"

#include <perdure/pg/identifier.hpp>

#include <doctest/doctest.h>

using namespace perdure;
namespace asio = boost::asio;
using test::contains;

namespace {

/// A schema of this test with the table `t(id int primary key, note text)`.
asio::awaitable<std::string> create_table(pg::connection& c)
{
    const std::string schema = unique_schema();
    co_await c.execute_script(pg::substitute_schema(
        "create schema {schema};"
        "create table {schema}.t (id int primary key deferrable initially immediate, note text)",
        schema));
    co_return schema;
}

pg::statement insert_into(const std::string& schema)
{
    return pg::load_statement("insert into {schema}.t values ($1, $2)", schema);
}

asio::awaitable<void> check_rows(pg::connection& c, std::string schema, std::int64_t expected)
{
    const pg::statement count = pg::load_statement("select count(*) from {schema}.t", schema);
    const pg::result r = co_await c.execute(count);
    CHECK(r.get<std::int64_t>(0, 0) == expected);
}

const pg::statement answer{"select $1::int + 1"};
const pg::statement divide{"select 1 / $1::int"};

} // namespace

TEST_CASE("a pipeline returns a result for each statement, in order")
{
    test::run([]() -> asio::awaitable<void> {
        pg::connection c = co_await test::connect();
        for (int round = 0; round < 2;
             ++round) { // prepared by the first round, reused by the second
            pg::pipeline p;
            CHECK(p.add(answer, 1) == 0);
            CHECK(p.add(answer, 10) == 1);
            CHECK(p.add(pg::statement{"select 'x'::text"}) == 2);
            const pg::pipeline_result r = co_await c.run(std::move(p));
            CHECK(r.size() == 3);
            CHECK(r[0].get<int>(0, 0) == 2);
            CHECK(r[1].get<int>(0, 0) == 11);
            CHECK(r[2].get<std::string>(0, 0) == "x");
            CHECK(!r.committed());
            CHECK_THROWS_AS(r[3], std::out_of_range);
        }
        const pg::statement prepared{
            "select count(*) from pg_prepared_statements where name like 'perdure_%'"};
        const pg::result r = co_await c.execute(prepared);
        CHECK(r.get<std::int64_t>(0, 0) == 3); // itself included
    });
}

TEST_CASE("an error carries the server's message, SQLSTATE, detail, hint, context and the "
          "statement's index")
{
    test::run([]() -> asio::awaitable<void> {
        pg::connection c = co_await test::connect();
        co_await c.execute_script(
            "create function pg_temp.refuse() returns void language plpgsql as $$ begin\n"
            "raise exception 'not today' using errcode = 'PD001', detail = 'it rains', hint = "
            "'wait';\n"
            "end $$");
        pg::pipeline p;
        p.add(answer, 1);
        p.add(pg::statement{"select pg_temp.refuse()"});
        const pg::error e = co_await test::failure_of(c.run(std::move(p)));
        CHECK(e.code() == pg::errc::server_error);
        CHECK(e.sqlstate() == "PD001");
        CHECK(e.in_class("PD"));
        CHECK(!e.in_class("23"));
        CHECK(e.diagnostics().severity == "ERROR");
        CHECK(e.diagnostics().message == "not today");
        CHECK(e.diagnostics().detail == "it rains");
        CHECK(e.diagnostics().hint == "wait");
        CHECK(contains(e.diagnostics().where, "PL/pgSQL function"));
        CHECK(e.diagnostics().statement == 1);
        CHECK(std::string{e.what()} == "not today [PD001]; detail: it rains; hint: wait");
        CHECK(std::string{e.code().category().name()} == "perdure.pg");
    });
}

TEST_CASE("a failing statement undoes its transaction and leaves the connection clean")
{
    test::run([]() -> asio::awaitable<void> {
        pg::connection c = co_await test::connect();
        const std::string schema = co_await create_table(c);
        const pg::statement insert = insert_into(schema);
        pg::pipeline p;
        p.begin();
        p.add(insert, 1, "kept?");
        p.add(divide, 0);
        p.add(insert, 2, "skipped");
        p.commit();
        p.add(insert, 3, "skipped, too");
        const pg::error e = co_await test::failure_of(c.run(std::move(p)));
        CHECK(e.sqlstate() == "22012");
        CHECK(e.diagnostics().statement == 2);
        CHECK(c.clean());
        co_await check_rows(c, schema, 0);

        // What was prepared before the error is known, what was skipped is prepared now.
        pg::pipeline again;
        again.begin();
        again.add(insert, 1, "kept");
        again.add(divide, 1);
        again.commit();
        const pg::pipeline_result r = co_await c.run(std::move(again));
        CHECK(r.committed());
        co_await check_rows(c, schema, 1);
    });
}

TEST_CASE("without begin the statements of a pipeline are one transaction")
{
    test::run([]() -> asio::awaitable<void> {
        pg::connection c = co_await test::connect();
        const std::string schema = co_await create_table(c);
        const pg::statement insert = insert_into(schema);
        pg::pipeline p;
        p.add(insert, 1, "undone");
        p.add(divide, 0);
        const pg::error e = co_await test::failure_of(c.run(std::move(p)));
        CHECK(e.sqlstate() == "22012");
        co_await check_rows(c, schema, 0);
    });
}

TEST_CASE(
    "a statement that cannot be prepared fails by its index and is prepared anew when it can be")
{
    test::run([]() -> asio::awaitable<void> {
        pg::connection c = co_await test::connect();
        const std::string schema = co_await create_table(c);
        const pg::statement later =
            pg::load_statement("select count(*) from {schema}.later", schema);
        pg::pipeline p;
        p.add(answer, 1);
        p.add(later);
        const pg::error e = co_await test::failure_of(c.run(std::move(p)));
        CHECK(e.sqlstate() == "42P01");
        CHECK(e.diagnostics().statement == 1);
        CHECK(e.diagnostics().position > 0);
        co_await c.execute_script(pg::substitute_schema("create table {schema}.later ()", schema));
        const pg::result r = co_await c.execute(later);
        CHECK(r.get<std::int64_t>(0, 0) == 0);
    });
}

TEST_CASE("a statement whose table changed, or that was deallocated, is prepared anew unnoticed")
{
    test::run([]() -> asio::awaitable<void> {
        pg::connection c = co_await test::connect();
        const std::string schema = co_await create_table(c);
        const pg::statement all = pg::load_statement("select * from {schema}.t", schema);
        const pg::statement insert = insert_into(schema);
        const auto transaction = [&](int id) {
            pg::pipeline p;
            p.begin();
            p.add(insert, id, "once");
            p.add(all);
            p.commit();
            return p;
        };
        co_await c.run(transaction(1));
        co_await c.execute_script(
            pg::substitute_schema("alter table {schema}.t add more int", schema));
        const pg::pipeline_result changed = co_await c.run(transaction(2));
        CHECK(changed[2].columns() == 3);
        CHECK(changed[2].size() == 2);
        co_await c.execute_script("deallocate all");
        const pg::pipeline_result forgotten = co_await c.run(transaction(3));
        CHECK(forgotten.committed());
        CHECK(forgotten[2].size() == 3);
    });
}

TEST_CASE("inside an open transaction a stale statement is an error once, and is prepared anew by "
          "the next transaction")
{
    test::run([]() -> asio::awaitable<void> {
        pg::connection c = co_await test::connect();
        co_await c.execute(answer, 1);
        co_await c.execute_script("deallocate all; begin");
        const pg::error e = co_await test::failure_of(c.execute(answer, 1));
        CHECK(e.sqlstate() == "26000");
        CHECK(c.clean());
        co_await c.execute_script("begin");
        const pg::result r = co_await c.execute(answer, 1);
        CHECK(r.get<int>(0, 0) == 2);
    });
}

TEST_CASE("what the server does not support is refused once and not tried again")
{
    test::run([]() -> asio::awaitable<void> {
        pg::connection c = co_await test::connect();
        co_await c.execute_script(
            "create temp sequence tries;"
            "create function pg_temp.refuse() returns int language plpgsql as $$ begin\n"
            "perform nextval('tries'); raise feature_not_supported; end $$");
        const pg::statement refuse{"select pg_temp.refuse()"};
        const pg::error e = co_await test::failure_of(c.execute(refuse));
        CHECK(e.sqlstate() == "0A000");
        const pg::result r = co_await c.execute(pg::statement{"select nextval('tries')"});
        CHECK(r.get<int>(0, 0) == 2);
    });
}

TEST_CASE("a constraint that is violated at commit is a server error and nothing is committed")
{
    test::run([]() -> asio::awaitable<void> {
        pg::connection c = co_await test::connect();
        const std::string schema = co_await create_table(c);
        const pg::statement insert = insert_into(schema);
        pg::pipeline p;
        p.begin();
        p.add(pg::statement{"set constraints all deferred"});
        p.add(insert, 1, "a");
        p.add(insert, 1, "b");
        const std::size_t commit = p.commit();
        p.add(answer, 1);
        const pg::error e = co_await test::failure_of(c.run(std::move(p)));
        CHECK(e.code() == pg::errc::server_error);
        CHECK(e.sqlstate() == "23505");
        CHECK(e.diagnostics().statement == static_cast<std::int32_t>(commit));
        CHECK(c.clean());
        co_await check_rows(c, schema, 0);
    });
}

TEST_CASE("what fails after a confirmed commit does not hide the commit")
{
    test::run([]() -> asio::awaitable<void> {
        pg::connection c = co_await test::connect();
        const std::string schema = co_await create_table(c);
        pg::pipeline p;
        p.begin();
        p.add(insert_into(schema), 1, "a");
        p.commit();
        const std::size_t failing = p.add(divide, 0);
        p.add(answer, 1);
        const pg::pipeline_result r = co_await c.run(std::move(p));
        CHECK(r.committed());
        CHECK(r.size() == failing);
        REQUIRE(r.after_commit());
        CHECK(r.after_commit()->sqlstate() == "22012");
        CHECK(r.after_commit()->diagnostics().statement == static_cast<std::int32_t>(failing));
        CHECK(c.clean());
        co_await check_rows(c, schema, 1);
    });
}

TEST_CASE("a pipeline larger than all buffers gets through")
{
    test::run([]() -> asio::awaitable<void> {
        pg::connection c = co_await test::connect();
        const pg::statement echo{"select $1"};
        pg::pipeline p;
        const std::string large(1 << 20, 'x');
        for (int i = 0; i < 32; ++i) p.add(echo, large); // 32 MB there and 32 MB back
        const pg::pipeline_result r = co_await c.run(std::move(p));
        for (std::size_t i = 0; i < r.size(); ++i) CHECK(r[i].get<std::string>(0, 0) == large);
    });
}

TEST_CASE("without prepared statements nothing is prepared")
{
    test::run([]() -> asio::awaitable<void> {
        pg::connection_options options = test::test_connection();
        options.prepared_statements(false);
        pg::connection c = co_await pg::connection::connect(options);
        const pg::statement prepared{"select count(*) from pg_prepared_statements"};
        for (int i = 0; i < 2; ++i) {
            const pg::result r = co_await c.execute(prepared);
            CHECK(r.get<std::int64_t>(0, 0) == 0);
        }
    });
}

TEST_CASE("arguments that a statement has no parameters for are refused, and nothing is sent")
{
    test::run([]() -> asio::awaitable<void> {
        pg::connection c = co_await test::connect();
        const pg::statement twice{"select $1::int + $1::int"};
        pg::pipeline p;
        const auto refused = test::failure_of([&] { p.add(twice, 5, 7, 8); });
        CHECK(refused.code() == pg::errc::bad_value);
        CHECK(contains(refused.what(), "takes at most 1 arguments; it was given 3"));
        const auto of_execute = test::failure_of([&] { (void)c.execute(twice, 5, 7); });
        CHECK(of_execute.code() == pg::errc::bad_value);
        const pg::statement one{"select 1"};
        const auto none = test::failure_of([&] { p.add(one, 5); });
        CHECK(contains(none.what(), "takes at most 0 arguments"));
        const pg::result right = co_await c.execute(twice, 5);
        CHECK(right.get<int>(0, 0) == 10);
        const pg::error too_few = co_await test::failure_of(c.execute(twice));
        CHECK(too_few.code() == pg::errc::server_error);
    });
}

TEST_CASE("one statement takes arguments of different types, each prepared for itself")
{
    test::run([]() -> asio::awaitable<void> {
        pg::connection c = co_await test::connect();
        const pg::statement type{"select pg_typeof($1)::text"};
        const pg::result number = co_await c.execute(type, 1);
        const pg::result text = co_await c.execute(type, "1");
        CHECK(number.get<std::string>(0, 0) == "integer");
        CHECK(text.get<std::string>(0, 0) == "text");
    });
}

TEST_CASE("a connection keeps at most 1,000 prepared statements and goes on without")
{
    test::run([]() -> asio::awaitable<void> {
        pg::connection c = co_await test::connect();
        pg::pipeline p;
        for (int i = 0; i < 1100; ++i) p.add(pg::statement{"select " + std::to_string(i)});
        const pg::pipeline_result r = co_await c.run(std::move(p));
        CHECK(r[1099].get<int>(0, 0) == 1099);
        const pg::result n =
            co_await c.execute(pg::statement{"select count(*) from pg_prepared_statements"});
        CHECK(n.get<std::int64_t>(0, 0) <= 1000);
        CHECK(n.get<std::int64_t>(0, 0) >= 500);
    });
}

TEST_CASE("an empty pipeline does nothing, and a pipeline takes one commit")
{
    test::run([]() -> asio::awaitable<void> {
        pg::connection c = co_await test::connect();
        const pg::pipeline_result r = co_await c.run(pg::pipeline{});
        CHECK(r.size() == 0);
        pg::pipeline p;
        p.commit();
        CHECK_THROWS_AS(p.commit(), std::logic_error);
    });
}

TEST_CASE("a connection that is cut before the answer to COMMIT leaves the commit unknown")
{
    for (const test::fault fault :
         {test::fault::before_commit, test::fault::before_commit_answer}) {
        test::proxy line{test_dsn()};
        test::run([&]() -> asio::awaitable<void> {
            pg::connection direct = co_await test::connect();
            const std::string schema = co_await create_table(direct);
            pg::connection c = co_await pg::connection::connect(pg::connection_options{line.dsn()});
            line.arm(fault);
            pg::pipeline p;
            p.begin();
            p.add(insert_into(schema), 1, "a");
            p.commit();
            const pg::error e = co_await test::failure_of(c.run(std::move(p)));
            CHECK(line.fired());
            CHECK(e.code() == pg::errc::commit_unknown);
            CHECK(!c.usable());
            // Which of the two it was can only be seen from outside.
            const std::int64_t expected = fault == test::fault::before_commit_answer ? 1 : 0;
            co_await check_rows(direct, schema, expected);
        });
    }
}

TEST_CASE("a connection that is cut before COMMIT was sent is lost, not unknown")
{
    test::proxy line{test_dsn()};
    test::run([&]() -> asio::awaitable<void> {
        pg::connection c = co_await pg::connection::connect(pg::connection_options{line.dsn()});
        line.cut();
        const pg::error e = co_await test::failure_of(c.execute(answer, 1));
        CHECK(e.code() == pg::errc::connection_lost);
        CHECK(!c.usable());
        const pg::error closed = co_await test::failure_of(c.execute(answer, 1));
        CHECK(closed.code() == pg::errc::closed);
    });
}

TEST_CASE("a session that the server terminates ends with the server's first words")
{
    test::run([]() -> asio::awaitable<void> {
        pg::connection c = co_await test::connect();
        const pg::error e = co_await test::failure_of(
            c.execute(pg::statement{"select pg_terminate_backend(pg_backend_pid())"}));
        CHECK(e.code() == pg::errc::connection_lost);
        CHECK(e.sqlstate() == "57P01");
        CHECK(contains(e.what(), "terminating connection due to administrator command"));
        CHECK(!c.usable());
        CHECK(c.backend_pid() == 0);
    });
}

TEST_CASE("a script stops at its first error, names the line, and leaves the connection clean")
{
    test::run([]() -> asio::awaitable<void> {
        pg::connection c = co_await test::connect();
        const std::string schema = co_await create_table(c);
        const std::string script = pg::substitute_schema(
            "begin;\ninsert into {schema}.t values (1, 'grün');\n-- üüüüüüüüüüüü\nselect "
            "nonsense;\ncommit",
            schema);
        const pg::error e = co_await test::failure_of(c.execute_script(script));
        CHECK(e.code() == pg::errc::server_error);
        CHECK(e.sqlstate() == "42703");
        CHECK(contains(e.what(), "line 4: "));
        CHECK(c.clean());
        co_await check_rows(c, schema, 0);

        co_await c.execute_script(pg::substitute_schema(
            "begin; insert into {schema}.t values (1, 'a'); commit; select 1; select 2", schema));
        co_await check_rows(c, schema, 1);
        const pg::error copy =
            co_await test::failure_of(c.execute_script("copy (select 1) to stdout"));
        CHECK(copy.code() == pg::errc::bad_value);
        CHECK(!c.usable());
    });
}

TEST_CASE("notices are kept for whoever asks")
{
    test::run([]() -> asio::awaitable<void> {
        pg::connection c = co_await test::connect();
        co_await c.execute_script(
            "do $$ begin raise notice 'hello'; raise warning 'careful'; end $$");
        const auto notices = c.take_notices();
        REQUIRE(notices.size() == 2);
        CHECK(notices[0].severity == "NOTICE");
        CHECK(notices[0].message == "hello");
        CHECK(notices[1].message == "careful");
        CHECK(c.take_notices().empty());
    });
}

TEST_CASE("notices go to the handler that was given for them, when their operation has ended")
{
    test::run([]() -> asio::awaitable<void> {
        std::vector<std::string> heard;
        pg::connection_options options = test::test_connection();
        options.on_notice(
            [&](const pg::diagnostics& d) { heard.push_back(d.severity + ": " + d.message); });
        pg::connection c = co_await pg::connection::connect(options);
        co_await c.execute_script(
            "do $$ begin raise notice 'hello'; raise warning 'careful'; end $$");
        CHECK(heard == std::vector<std::string>{"NOTICE: hello", "WARNING: careful"});
        CHECK(c.take_notices().empty());
        co_await c.execute(answer, 1);
        CHECK(heard.size() == 2);
    });
}
