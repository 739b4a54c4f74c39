#include <perdure/pg/value.hpp>

#include <perdure/pg/error.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <limits>

namespace perdure::pg {

namespace {

struct known_type
{
    oid type;
    std::string_view name;
    oid element;
};

constexpr auto known_types = std::to_array<known_type>({
    {oid::boolean, "boolean", oid::none},
    {oid::bytea, "bytea", oid::none},
    {oid::character, "\"char\"", oid::none},
    {oid::name, "name", oid::none},
    {oid::int8, "bigint", oid::none},
    {oid::int2, "smallint", oid::none},
    {oid::int4, "integer", oid::none},
    {oid::text, "text", oid::none},
    {oid::json, "json", oid::none},
    {oid::float4, "real", oid::none},
    {oid::float8, "double precision", oid::none},
    {oid::unknown, "unknown", oid::none},
    {oid::boolean_array, "boolean[]", oid::boolean},
    {oid::bytea_array, "bytea[]", oid::bytea},
    {oid::name_array, "name[]", oid::name},
    {oid::int2_array, "smallint[]", oid::int2},
    {oid::int4_array, "integer[]", oid::int4},
    {oid::text_array, "text[]", oid::text},
    {oid::bpchar_array, "character[]", oid::bpchar},
    {oid::varchar_array, "varchar[]", oid::varchar},
    {oid::int8_array, "bigint[]", oid::int8},
    {oid::float4_array, "real[]", oid::float4},
    {oid::float8_array, "double precision[]", oid::float8},
    {oid::bpchar, "character", oid::none},
    {oid::varchar, "varchar", oid::none},
    {oid::timestamptz, "timestamptz", oid::none},
    {oid::timestamptz_array, "timestamptz[]", oid::timestamptz},
    {oid::uuid, "uuid", oid::none},
    {oid::uuid_array, "uuid[]", oid::uuid},
    {oid::void_, "void", oid::none},
});

struct foreign_type
{
    std::uint32_t type;
    std::string_view name;
};

/// Common types that no type here holds; who reads one shall at least be told its name.
constexpr auto foreign_types = std::to_array<foreign_type>({
    {26, "oid"},         {142, "xml"},       {199, "json[]"},     {600, "point"},
    {650, "cidr"},       {790, "money"},     {829, "macaddr"},    {869, "inet"},
    {1082, "date"},      {1083, "time"},     {1114, "timestamp"}, {1115, "timestamp[]"},
    {1182, "date[]"},    {1183, "time[]"},   {1186, "interval"},  {1187, "interval[]"},
    {1231, "numeric[]"}, {1266, "timetz"},   {1560, "bit"},       {1562, "varbit"},
    {1700, "numeric"},   {2205, "regclass"}, {2249, "record"},    {3614, "tsvector"},
    {3802, "jsonb"},     {3807, "jsonb[]"},
});

const known_type* find(oid type) noexcept
{
    const auto found = std::ranges::find(known_types, type, &known_type::type);
    return found == known_types.end() ? nullptr : &*found;
}

/// What PostgreSQL counts microseconds from: 2000-01-01 00:00 UTC.
constexpr timestamp epoch{std::chrono::sys_days{std::chrono::year{2000} / 1 / 1}};

[[noreturn]] void throw_bad(std::string what)
{
    throw error{errc::bad_value, std::move(what)};
}

void check_size(std::span<const std::byte> data, std::size_t expected)
{
    if (data.size() != expected)
        throw_bad(
            "a value of " + std::to_string(data.size()) + " bytes where " +
            std::to_string(expected) + " are expected");
}

std::uint64_t read_big_endian(std::span<const std::byte> data) noexcept
{
    std::uint64_t value = 0;
    for (const std::byte b : data) value = (value << 8) | std::to_integer<std::uint64_t>(b);
    return value;
}

} // namespace

std::string to_string(oid type)
{
    if (const known_type* known = find(type)) return std::string{known->name};
    const auto number = static_cast<std::uint32_t>(type);
    const auto foreign = std::ranges::find(foreign_types, number, &foreign_type::type);
    if (foreign != foreign_types.end()) return std::string{foreign->name};
    return "type " + std::to_string(number);
}

namespace detail {

void write_integer(bytes& out, std::int64_t value, std::size_t width)
{
    const auto bits = static_cast<std::uint64_t>(value);
    for (std::size_t i = width; i-- > 0;)
        out.push_back(static_cast<std::byte>((bits >> (8 * i)) & 0xff));
}

void write_double(bytes& out, double value)
{
    write_integer(out, std::bit_cast<std::int64_t>(value), 8);
}

void write_bytes(bytes& out, std::span<const std::byte> value)
{
    out.insert(out.end(), value.begin(), value.end());
}

void write_timestamp(bytes& out, timestamp value)
{
    // The extremes are the infinities; what lies within 30 years of them has no representation.
    if (value == timestamp::max() || value == timestamp::min()) {
        write_integer(out, value.time_since_epoch().count(), 8);
        return;
    }
    if (value < timestamp::min() + epoch.time_since_epoch())
        throw_bad("a time too early for timestamptz");
    write_integer(out, (value - epoch).count(), 8);
}

void patch_int32(bytes& out, std::size_t offset, std::int32_t value)
{
    bytes encoded;
    write_integer(encoded, value, 4);
    std::ranges::copy(encoded, out.begin() + static_cast<std::ptrdiff_t>(offset));
}

std::int64_t read_integer(
    std::span<const std::byte> data, std::int64_t least, std::int64_t greatest)
{
    std::int64_t value = 0;
    switch (data.size()) {
    case 2: value = static_cast<std::int16_t>(read_big_endian(data)); break;
    case 4: value = static_cast<std::int32_t>(read_big_endian(data)); break;
    case 8: value = static_cast<std::int64_t>(read_big_endian(data)); break;
    default: throw_bad("an integer of " + std::to_string(data.size()) + " bytes");
    }
    if (value < least || value > greatest)
        throw_bad(
            std::to_string(value) + " is not between " + std::to_string(least) + " and " +
            std::to_string(greatest));
    return value;
}

bool read_boolean(std::span<const std::byte> data)
{
    check_size(data, 1);
    return data[0] != std::byte{0};
}

double read_double(std::span<const std::byte> data)
{
    if (data.size() == 4)
        return std::bit_cast<float>(static_cast<std::uint32_t>(read_big_endian(data)));
    check_size(data, 8);
    return std::bit_cast<double>(read_big_endian(data));
}

timestamp read_timestamp(std::span<const std::byte> data)
{
    check_size(data, 8);
    const timestamp since_2000{
        std::chrono::microseconds{static_cast<std::int64_t>(read_big_endian(data))}};
    if (since_2000 == timestamp::max() || since_2000 == timestamp::min()) return since_2000;
    if (since_2000 > timestamp::max() - epoch.time_since_epoch())
        throw_bad("a time too late for a 64-bit count of microseconds");
    return since_2000 + epoch.time_since_epoch();
}

boost::uuids::uuid read_uuid(std::span<const std::byte> data)
{
    check_size(data, 16);
    boost::uuids::uuid value;
    std::ranges::transform(
        data, std::begin(value.data), [](std::byte b) { return std::to_integer<std::uint8_t>(b); });
    return value;
}

bool is_known(oid type) noexcept
{
    return find(type) != nullptr;
}

bool is_integer(oid type) noexcept
{
    return type == oid::int2 || type == oid::int4 || type == oid::int8;
}

bool is_text(oid type) noexcept
{
    switch (type) {
    case oid::text:
    case oid::varchar:
    case oid::bpchar:
    case oid::name:
    case oid::character:
    case oid::json:
    case oid::unknown: return true;
    default: return false;
    }
}

void throw_unexpected_null()
{
    throw_bad("an element is null; read it as an optional");
}

void write_array_header(bytes& out, oid element, std::size_t size)
{
    if (size > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max()))
        throw_bad("an array of more than 2,147,483,647 elements");
    write_integer(out, size == 0 ? 0 : 1, 4); // dimensions
    write_integer(out, 0, 4);                 // flags; the server looks for nulls itself
    write_integer(out, static_cast<std::int64_t>(element), 4);
    if (size == 0) return;
    write_integer(out, static_cast<std::int64_t>(size), 4);
    write_integer(out, 1, 4); // lower bound
}

array_reader::array_reader(std::span<const std::byte> data) : rest_{data}
{
    const auto dimensions = read_big_endian(take(4));
    take(8); // flags and element type, which the column's type says already
    if (dimensions == 0) return;
    if (dimensions != 1)
        throw_bad(
            "an array of " + std::to_string(dimensions) + " dimensions; only one is supported");
    const auto size = static_cast<std::int32_t>(read_big_endian(take(4)));
    take(4); // lower bound
    if (size < 0 || static_cast<std::size_t>(size) > rest_.size() / 4)
        throw_bad("an array that is cut short");
    size_ = static_cast<std::size_t>(size);
}

std::optional<std::span<const std::byte>> array_reader::next()
{
    const auto length = static_cast<std::int32_t>(read_big_endian(take(4)));
    if (length < 0) return std::nullopt;
    return take(static_cast<std::size_t>(length));
}

std::span<const std::byte> array_reader::take(std::size_t count)
{
    if (count > rest_.size()) throw_bad("an array that is cut short");
    const auto taken = rest_.first(count);
    rest_ = rest_.subspan(count);
    return taken;
}

oid element_of(oid array) noexcept
{
    const known_type* known = find(array);
    return known ? known->element : oid::none;
}

} // namespace detail
} // namespace perdure::pg
