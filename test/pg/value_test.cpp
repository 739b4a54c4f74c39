#include "session.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <limits>

using namespace perdure;
using namespace std::chrono_literals;
namespace asio = boost::asio;
using test::contains;

namespace {

enum class color : std::int16_t
{
    red = 1,
    blue = 7
};
enum class small : std::uint8_t
{
    most = 255
};
enum class key : std::int64_t
{
};

/// Sends a value, gets it back, and has the server say what it understood.
template <class T, class Read = T>
asio::awaitable<void> check_round_trip(
    pg::connection& c, T value, std::string type, std::string text)
{
    const pg::statement echo{"select $1, pg_typeof($1)::text, $1::text"};
    const pg::result r = co_await c.execute(echo, value);
    CHECK(r.get<Read>(0, 0) == Read(value));
    CHECK(r.get<std::string>(0, 1) == type);
    CHECK(r.get<std::string>(0, 2) == text);
}

pg::bytes bytes_of(std::initializer_list<int> values)
{
    pg::bytes b;
    for (const int v : values) b.push_back(static_cast<std::byte>(v));
    return b;
}

} // namespace

TEST_CASE("each value type is understood by the server and comes back equal")
{
    test::run([]() -> asio::awaitable<void> {
        pg::connection c = co_await test::connect();
        co_await check_round_trip(c, true, "boolean", "true");
        co_await check_round_trip(c, false, "boolean", "false");
        co_await check_round_trip(c, std::int16_t{-32768}, "smallint", "-32768");
        co_await check_round_trip(c, std::int32_t{2147483647}, "integer", "2147483647");
        co_await check_round_trip(c, std::int64_t{9007199254740993}, "bigint", "9007199254740993");
        co_await check_round_trip(
            c, std::numeric_limits<std::int64_t>::min(), "bigint", "-9223372036854775808");
        co_await check_round_trip(c, 0.1, "double precision", "0.1");
        co_await check_round_trip(c, std::string{"grüß dich"}, "text", "grüß dich");
        co_await check_round_trip(c, std::string{}, "text", "");
        co_await check_round_trip<std::string_view, std::string>(c, "view", "text", "view");
        const pg::bytes raw = bytes_of({0, 255, 92});
        co_await check_round_trip(c, raw, "bytea", "\\x00ff5c");
        co_await check_round_trip(c, pg::bytes{}, "bytea", "\\x");
        const boost::uuids::uuid id{
            {0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde, 0xf0, 1, 2, 3, 4, 5, 6, 7, 8}};
        co_await check_round_trip(c, id, "uuid", "12345678-9abc-def0-0102-030405060708");
        co_await check_round_trip(c, color::blue, "smallint", "7");
        co_await check_round_trip(c, small::most, "smallint", "255");
        co_await check_round_trip(c, key{1}, "bigint", "1");
    });
}

TEST_CASE("spans and milliseconds are sent as bytea and bigint")
{
    test::run([]() -> asio::awaitable<void> {
        pg::connection c = co_await test::connect();
        const pg::statement echo{"select $1, $2, $3"};
        const pg::bytes raw = bytes_of({1, 2});
        const std::span<const std::byte> view{raw};
        const pg::result r = co_await c.execute(echo, view, 1500ms, "literal");
        CHECK(r.get<pg::bytes>(0, 0) == raw);
        CHECK(r.get<std::int64_t>(0, 1) == 1500);
        CHECK(r.get<std::string>(0, 2) == "literal");
    });
}

TEST_CASE("times are exact to the microsecond, infinities included")
{
    test::run([]() -> asio::awaitable<void> {
        pg::connection c = co_await test::connect();
        const pg::statement echo{
            "select $1, to_char($1 at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')"};
        const pg::timestamp t = std::chrono::sys_days{std::chrono::year{2026} / 11 / 21} + 1h + 2us;
        const pg::result r = co_await c.execute(echo, t);
        CHECK(r.get<pg::timestamp>(0, 0) == t);
        CHECK(r.get<std::string>(0, 1) == "2026-11-21 01:00:00.000002");

        const pg::statement infinities{
            "select $1::timestamptz = 'infinity', $2::timestamptz = '-infinity', $1, $2"};
        const pg::result i =
            co_await c.execute(infinities, pg::timestamp::max(), pg::timestamp::min());
        CHECK(i.get<bool>(0, 0));
        CHECK(i.get<bool>(0, 1));
        CHECK(i.get<pg::timestamp>(0, 2) == pg::timestamp::max());
        CHECK(i.get<pg::timestamp>(0, 3) == pg::timestamp::min());
    });
}

TEST_CASE("floating point values keep their bits")
{
    test::run([]() -> asio::awaitable<void> {
        pg::connection c = co_await test::connect();
        const pg::statement echo{"select $1, $2, 1.5::real"};
        const double tiny = std::numeric_limits<double>::denorm_min();
        const pg::result r = co_await c.execute(echo, tiny, std::nan(""));
        CHECK(r.get<double>(0, 0) == tiny);
        CHECK(std::isnan(r.get<double>(0, 1)));
        CHECK(r.get<double>(0, 2) == 1.5);
    });
}

TEST_CASE("an empty optional is null, both ways")
{
    test::run([]() -> asio::awaitable<void> {
        pg::connection c = co_await test::connect();
        const pg::statement echo{"select $1 is null, $1, $2"};
        const std::optional<std::int32_t> none;
        const std::optional<std::string> some{"x"};
        const pg::result r = co_await c.execute(echo, none, some);
        CHECK(r.get<bool>(0, 0));
        CHECK(!r.get<std::optional<std::int32_t>>(0, 1));
        CHECK(r.is_null(0, 1));
        CHECK(r.get<std::optional<std::string>>(0, 2) == some);
        CHECK(r.get<std::string>(0, 2) == "x");
    });
}

TEST_CASE("vectors and spans are one-dimensional arrays, with nulls where elements are optional")
{
    test::run([]() -> asio::awaitable<void> {
        pg::connection c = co_await test::connect();
        const pg::statement echo{"select $1, $2, $3, $4, $5, $6, $7, cardinality($3), $1::text"};
        const std::vector<std::int64_t> numbers{1, -2, 9007199254740993};
        const std::vector<std::optional<std::string>> texts{"a", std::nullopt, ""};
        const std::vector<std::int32_t> empty;
        const std::vector<bool> flags{true, false};
        const std::vector<pg::bytes> blobs{bytes_of({0}), bytes_of({})};
        const std::vector<color> colors{color::red, color::blue};
        const std::vector<std::string_view> views{"x", "y"};
        const pg::result r = co_await c.execute(
            echo, std::span<const std::int64_t>{numbers}, texts, empty, flags, blobs, colors,
            views);
        CHECK(r.get<std::vector<std::int64_t>>(0, 0) == numbers);
        CHECK(r.get<std::vector<std::optional<std::string>>>(0, 1) == texts);
        CHECK(r.get<std::vector<std::int32_t>>(0, 2) == empty);
        CHECK(r.get<std::vector<bool>>(0, 3) == flags);
        CHECK(r.get<std::vector<pg::bytes>>(0, 4) == blobs);
        CHECK(r.get<std::vector<color>>(0, 5) == colors);
        CHECK(r.get<std::vector<std::string>>(0, 6) == std::vector<std::string>{"x", "y"});
        CHECK(r.get<std::int32_t>(0, 7) == 0);
        CHECK(r.get<std::string>(0, 8) == "{1,-2,9007199254740993}");
        CHECK(test::failure_of([&] {
                  r.get<std::vector<std::string>>(0, 1);
              }).code() == pg::errc::bad_value);
    });
}

TEST_CASE("a batch travels as arrays and comes back as typed rows")
{
    test::run([]() -> asio::awaitable<void> {
        pg::connection c = co_await test::connect();
        const pg::statement unnest{
            "select n, t from unnest($1, $2) with ordinality u(n, t, o) order by o"};
        const std::vector<std::int64_t> numbers{3, 1};
        const std::vector<std::optional<pg::timestamp>> times{pg::timestamp{5us}, std::nullopt};
        const pg::result r = co_await c.execute(unnest, numbers, times);
        std::vector<std::int64_t> seen;
        for (const auto& [n, t] : r.rows<std::int64_t, std::optional<pg::timestamp>>()) {
            CHECK(t == times[seen.size()]);
            seen.push_back(n);
        }
        CHECK(seen == numbers);
        CHECK(r.affected() == 2);
        CHECK(r.command() == "SELECT 2");
    });
}

TEST_CASE("a column read as what it is not is refused with bad_value, naming column and types")
{
    test::run([]() -> asio::awaitable<void> {
        pg::connection c = co_await test::connect();
        const pg::statement s{"select 'x'::text as name, 70000::int as big, null::int as hole"};
        const pg::result r = co_await c.execute(s);
        const auto wrong_type = test::failure_of([&] { r.get<std::int64_t>(0, 0); });
        CHECK(wrong_type.code() == pg::errc::bad_value);
        CHECK(std::string{wrong_type.what()} == "column 0 (\"name\") is text; bigint is expected");
        const auto out_of_range = test::failure_of([&] { r.get<std::int16_t>(0, 1); });
        CHECK(contains(out_of_range.what(), "column 1 (\"big\"), row 0: 70000 is not between"));
        const auto null = test::failure_of([&] { r.get<std::int32_t>(0, 2); });
        CHECK(contains(null.what(), "column 2 (\"hole\") is null in row 0"));
        CHECK(contains(test::failure_of([&] { r.get<bool>(0, 9); }).what(), "column 9"));
        CHECK(contains(test::failure_of([&] { r.get<std::string>(1, 0); }).what(), "row 1"));
        const auto too_few = test::failure_of([&] { r.rows<std::string>(); });
        CHECK(contains(too_few.what(), "returned 3 columns; 1 are expected"));
        CHECK(r.get<std::int64_t>(0, 1) == 70000); // wider is fine
    });
}

TEST_CASE("a column of a type that no value here holds is refused by name, with the cast to write")
{
    test::run([]() -> asio::awaitable<void> {
        pg::connection c = co_await test::connect();
        const pg::statement s{"select 1.5::numeric as n, '{}'::jsonb as j, current_date as d, "
                              "'1 h'::interval as i, array[1.5] as a, '(1,2)'::int4range as r"};
        const pg::result r = co_await c.execute(s);
        const auto refused = [](auto read) { return std::string{test::failure_of(read).what()}; };
        CHECK(
            refused([&] { r.get<double>(0, 0); }) ==
            "column 0 (\"n\") is numeric; double precision is expected: cast it in the statement, "
            "n::double precision");
        CHECK(
            refused([&] { r.get<std::string>(0, 1); }) ==
            "column 1 (\"j\") is jsonb; text is expected: cast it in the statement, j::text");
        CHECK(contains(refused([&] { r.get<pg::timestamp>(0, 2); }), "is date; timestamptz is"));
        CHECK(contains(refused([&] { r.get<std::int64_t>(0, 3); }), "is interval; bigint is"));
        CHECK(contains(refused([&] { r.get<std::vector<double>>(0, 4); }), "is numeric[]; double"));
        CHECK(contains(refused([&] { r.get<std::string>(0, 5); }), "is type 3904; text is"));
        const pg::statement cast{"select ($1::numeric)::float8, ($2::jsonb)::text"};
        const pg::result casted = co_await c.execute(cast, 1.5, "{}");
        CHECK(casted.get<double>(0, 0) == 1.5);
        CHECK(casted.get<std::string>(0, 1) == "{}");
    });
}

TEST_CASE(
    "a text that is not UTF-8 or holds a zero byte is refused by the server, and by nothing before")
{
    test::run([]() -> asio::awaitable<void> {
        pg::connection c = co_await test::connect();
        const pg::statement echo{"select $1"};
        const pg::error not_utf8 = co_await test::failure_of(c.execute(echo, std::string{"\xff"}));
        CHECK(not_utf8.sqlstate() == "22021");
        const pg::error zero = co_await test::failure_of(c.execute(echo, std::string{"a\0b", 3}));
        CHECK(zero.in_class("22"));
        CHECK(c.clean());
    });
}
