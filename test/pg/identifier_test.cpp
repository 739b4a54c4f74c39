#include "session.hpp"

#include <perdure/pg/identifier.hpp>

#include <doctest/doctest.h>

using namespace perdure;

TEST_CASE("an identifier is quoted so that the server reads back exactly that name")
{
    CHECK(pg::quote_identifier("order") == "\"order\"");
    CHECK(pg::quote_identifier("say \"hi\"") == "\"say \"\"hi\"\"\"");
    CHECK(test::failure_of([] { pg::quote_identifier(""); }).code() == pg::errc::bad_value);
    CHECK(test::failure_of([] {
              pg::quote_identifier(std::string(64, 'x'));
          }).code() == pg::errc::bad_value);
    CHECK(
        test::failure_of([] { pg::quote_identifier({"a\0b", 3}); }).code() == pg::errc::bad_value);
    CHECK(pg::quote_identifier(std::string(63, 'x')).size() == 65);
}

TEST_CASE("a literal is quoted, backslashes included")
{
    CHECK(pg::quote_literal("it's") == "'it''s'");
    CHECK(pg::quote_literal("a\\'b") == "E'a\\\\''b'");
    test::run([]() -> boost::asio::awaitable<void> {
        const std::string text = "'; drop table x; -- \\ \" '";
        pg::connection c = co_await test::connect();
        const pg::statement s{
            "select " + pg::quote_literal(text) + " as " + pg::quote_identifier(text)};
        const pg::result r = co_await c.execute(s);
        CHECK(r.get<std::string>(0, 0) == text);
        CHECK(r.column_name(0) == text);
    });
}

TEST_CASE("the schema's name is the only thing that is substituted")
{
    CHECK(
        pg::substitute_schema("select '{a}' from {schema}.t, {schema}.u", "my \"s\"") ==
        "select '{a}' from \"my \"\"s\"\"\".t, \"my \"\"s\"\"\".u");
    CHECK(pg::substitute_schema("{schema:literal}", "it's") == "'it''s'");
    CHECK(
        pg::substitute_schema("{schema}{schema:literal}", "{schema}") == "\"{schema}\"'{schema}'");
    CHECK(
        pg::load_statement("-- what it does\n--\n\nselect 1\nfrom {schema}.t;\n", "s").sql() ==
        "select 1\nfrom \"s\".t");
}
