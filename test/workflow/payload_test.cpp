// Values to JSON and back.
#include "expect.hpp"
#include "shop.hpp"

#include <perdure/workflow/encode.hpp>
#include <perdure/workflow/timestamp.hpp>

#include <boost/uuid/uuid_io.hpp>

#include <array>
#include <limits>
#include <map>

using namespace perdure;

namespace {

enum class plain : std::int16_t
{
    zero,
    seven = 7
};
enum class colour
{
    red,
    green
};
BOOST_DESCRIBE_ENUM(colour, red, green)

struct inner
{
    int a = 0;
    std::optional<int> b;
};
struct base
{
    int id = 0;
};
struct outer : base
{
    std::vector<inner> parts;
    std::map<std::string, inner> named;
};
BOOST_DESCRIBE_STRUCT(inner, (), (a, b))
BOOST_DESCRIBE_STRUCT(base, (), (id))
BOOST_DESCRIBE_STRUCT(outer, (base), (parts, named))

payload json(std::string text)
{
    return payload::from_text(std::move(text));
}

template <class T>
std::string text_of(const T& value)
{
    return std::string(encode(value).text());
}

template <class T>
void check_round_trip(const T& value, std::string_view text)
{
    CHECK(text_of(value) == text);
    CHECK(decode<T>(encode(value)) == value);
}

template <class T>
std::string decoding(std::string text)
{
    return refusal(errc::malformed_payload, [&] { (void)decode<T>(json(text)); });
}

} // namespace

TEST_CASE("64-bit integers survive exactly, at both ends of their ranges")
{
    check_round_trip(std::int64_t{9007199254740993}, "9007199254740993");
    check_round_trip(std::numeric_limits<std::int64_t>::min(), "-9223372036854775808");
    check_round_trip(std::numeric_limits<std::int64_t>::max(), "9223372036854775807");
    check_round_trip(std::numeric_limits<std::uint64_t>::max(), "18446744073709551615");
    check_round_trip(std::uint64_t{9007199254740993}, "9007199254740993");
    check_round_trip(std::int8_t{-128}, "-128");
}

TEST_CASE("an integer that does not fit, or is written with a fraction or exponent, is refused")
{
    CHECK(decoding<std::int8_t>("128") == "expected an integer from -128 to 127, found an integer");
    CHECK(decoding<std::uint8_t>("-1") == "expected an integer from 0 to 255, found an integer");
    CHECK(
        decoding<std::int64_t>("9223372036854775808")
            .find("expected an integer from -9223372036854775808") == 0);
    CHECK(
        decoding<int>("1.0") == "expected an integer, found a number with a fraction or exponent");
    CHECK(
        decoding<int>("1e2") == "expected an integer, found a number with a fraction or exponent");
    CHECK(decoding<std::uint64_t>("18446744073709551616").find("expected an integer") == 0);
}

TEST_CASE("doubles read back as the same double")
{
    for (const double value :
         {0.1, 1.0 / 3, 2.2250738585072014e-308, 1.7976931348623157e308, 5e-324, -0.0,
          123456789.123456789, 9.2255e+18, 4.35, 7.038531e-26, 179.0e1}) {
        CHECK(decode<double>(encode(value)) == value);
    }
    CHECK(decode<double>(json("2")) == 2.0);
    CHECK(decode<double>(json("1e-400")) == 0.0);
    CHECK(decoding<double>("1e400").find("expected JSON") == 0);
    CHECK(refusal(errc::malformed_payload, [] {
              (void)encode(std::numeric_limits<double>::infinity());
          }).find("infinity") != std::string::npos);
}

TEST_CASE("text survives, whatever characters it holds")
{
    check_round_trip(std::string("a\"b\\c\n\t\r\x01\x1f/"), R"("a\"b\\c\n\t\r\u0001\u001f/")");
    check_round_trip(std::string("caf\u00e9 \u20ac \U0001F600"), "\"caf\u00e9 \u20ac \U0001F600\"");
    check_round_trip(std::string("\0", 1), R"("\u0000")");
    CHECK(decode<std::string>(json(R"("\ud83d\ude00")")) == "\U0001F600");
}

TEST_CASE("a string that is not UTF-8 is an error that names the field")
{
    outer value;
    value.named["x"] = {};
    const shop::order order{"A\xff", 1};
    CHECK(refusal(errc::malformed_payload, [&] {
              (void)encode(std::vector{order, order});
          }) == "[0].id is not UTF-8, from byte 1 on; use perdure::bytes for octets");
    for (const char* text :
         {"\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82", "\x80", "\xc1\xbf"}) {
        CHECK_THROWS_AS((void)encode(std::string(text)), const error&);
        CHECK_THROWS_AS(
            (void)decode<std::string>(json("\"" + std::string(text) + "\"")), const error&);
    }
}

TEST_CASE("bytes that are no text survive as base64")
{
    bytes all;
    for (int i = 0; i != 256; ++i) all.push_back(static_cast<std::byte>(i));
    for (std::size_t size : {0U, 1U, 2U, 3U, 4U, 255U, 256U}) {
        const bytes part(all.end() - static_cast<std::ptrdiff_t>(size), all.end());
        CHECK(decode<bytes>(encode(part)) == part);
    }
    CHECK(text_of(bytes{std::byte{0xff}, std::byte{0x00}}) == R"("/wA=")");
    for (const char* text :
         {R"("/wA")", R"("/w==A")", R"("/x==")", R"("a=aa")", R"("====")", R"("/w A")"}) {
        CHECK(decoding<bytes>(text) == "expected a string in base64, found a string");
    }
}

TEST_CASE("containers, tuples and variants survive")
{
    check_round_trip(std::optional<int>(), "null");
    check_round_trip(std::vector<std::optional<int>>{1, {}, 3}, "[1,null,3]");
    check_round_trip(std::vector<bool>{true, false}, "[true,false]");
    check_round_trip(std::array<int, 2>{4, 5}, "[4,5]");
    check_round_trip(std::map<std::string, int>{{"b", 2}, {"a", 1}}, R"({"a":1,"b":2})");
    check_round_trip(std::tuple<int, std::string, bool>(1, "x", true), R"([1,"x",true])");
    check_round_trip(std::tuple<>(), "[]");
    check_round_trip(std::pair<int, std::string>(1, "x"), R"([1,"x"])");
    check_round_trip(std::variant<int, std::string>("x"), R"([1,"x"])");
    check_round_trip(std::monostate(), "null");
    check_round_trip(std::chrono::milliseconds(1500), "1500");
    check_round_trip(timestamp(std::chrono::microseconds(7)), "7");
    check_round_trip(plain::seven, "7");
    check_round_trip(colour::green, R"("green")");
    boost::uuids::uuid id{{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}};
    check_round_trip(id, "\"01020304-0506-0708-090a-0b0c0d0e0f10\"");
}

TEST_CASE("described structs are objects, members of their bases first")
{
    outer value;
    value.id = 3;
    value.parts = {{1, 2}, {3, {}}};
    value.named["x"] = {4, {}};
    CHECK(
        text_of(value) ==
        R"({"id":3,"parts":[{"a":1,"b":2},{"a":3,"b":null}],"named":{"x":{"a":4,"b":null}}})");
    const auto again = decode<outer>(encode(value));
    CHECK(text_of(again) == text_of(value));
}

TEST_CASE("unknown members are ignored, a missing optional is empty")
{
    const auto value = decode<inner>(json(R"({"later":[{"x":1}],"a":5})"));
    CHECK(value.a == 5);
    CHECK(!value.b);
}

TEST_CASE("what is missing or of another type is an error with its path")
{
    CHECK(decoding<inner>(R"({"b":5})") == ".a is missing");
    CHECK(
        decoding<outer>(R"({"id":1,"parts":[{"a":1},{"a":"x"}],"named":{}})") ==
        ".parts[1].a: expected an integer, found a string");
    CHECK(
        decoding<outer>(R"({"id":1,"parts":[],"named":{"k":{"a":null}}})") ==
        ".named.k.a: expected an integer, found null");
    CHECK(decoding<outer>("[]") == "expected an object, found array of 0");
    CHECK(decoding<inner>("true") == "expected an object, found true");
    CHECK(decoding<std::vector<int>>(R"({"a":1})") == "expected an array, found object of 1");
    CHECK(decoding<colour>(R"("blue")").find("(anonymous namespace)::colour") != std::string::npos);
    CHECK(decoding<boost::uuids::uuid>(R"("0102")") == "expected a UUID, found a string");
    CHECK(decoding<std::tuple<int, int>>("[1]") == "expected array of 2, found array of 1");
    CHECK(
        decoding<std::variant<int, bool>>("[2,true]")
            .find("[0]: expected an integer from 0 to 1") == 0);
}

TEST_CASE("what is not JSON is an error that says where")
{
    CHECK(decoding<int>("") == "expected JSON, found nothing");
    CHECK(decoding<int>("1 2").find("expected JSON, found at byte 2") == 0);
    CHECK(decoding<int>("[1,").find("expected JSON, found at byte") == 0);
    CHECK(decoding<int>(std::string("\0abc", 4)) == "expected JSON, found the output of a codec");
    CHECK(decoding<int>(std::string(200, '[')).find("expected JSON") == 0);
}

TEST_CASE("nesting is limited when writing, too")
{
    payload_writer to;
    CHECK(refusal(errc::malformed_payload, [&] {
              for (int i = 0; i != 200; ++i) to.begin_array();
          }).find("nested too deep") != std::string::npos);
}

TEST_CASE("trailing optional parameters may be missing, others not")
{
    using arguments = std::tuple<int, std::optional<int>>;
    CHECK(decode_arguments<int, std::optional<int>>(json("[1]"), "workflow w") == arguments(1, {}));
    CHECK(
        decode_arguments<int, std::optional<int>>(json("[1,2]"), "workflow w") == arguments(1, 2));
    CHECK(refusal(errc::malformed_payload, [] {
              (void)decode_arguments<int, std::optional<int>>(json("[]"), "workflow w");
          }) == "workflow w: expected (int32, optional<int32>), found array of 0");
    CHECK(refusal(errc::malformed_payload, [] {
              (void)decode_arguments<int>(json("[1,2]"), "activity a");
          }) == "activity a: expected (int32), found array of 2");
    CHECK(decode_arguments<>(json("[]"), "workflow w") == std::tuple<>());
}
