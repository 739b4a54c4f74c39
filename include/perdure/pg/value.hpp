// Values that cross to PostgreSQL and back, in its binary format. A type is supported if
// `detail::codec` is defined for it; the bodies that need no template are in value.cpp.
#pragma once

#include <perdure/config.hpp>

#include <boost/uuid/uuid.hpp>

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace perdure::pg {

/// A point in time as `timestamptz` holds it: microseconds, UTC. `timestamp::max()` is `infinity`,
/// `timestamp::min()` is `-infinity`.
using timestamp = std::chrono::sys_time<std::chrono::microseconds>;

/// A `bytea`.
using bytes = std::vector<std::byte>;

/// Object ids of the types this library knows; any other value may come from the server.
enum class oid : std::uint32_t
{
    none = 0,
    boolean = 16,
    bytea = 17,
    character = 18,
    name = 19,
    int8 = 20,
    int2 = 21,
    int4 = 23,
    text = 25,
    json = 114,
    float4 = 700,
    float8 = 701,
    unknown = 705,
    boolean_array = 1000,
    bytea_array = 1001,
    name_array = 1003,
    int2_array = 1005,
    int4_array = 1007,
    text_array = 1009,
    bpchar_array = 1014,
    varchar_array = 1015,
    int8_array = 1016,
    float4_array = 1021,
    float8_array = 1022,
    bpchar = 1042,
    varchar = 1043,
    timestamptz = 1184,
    timestamptz_array = 1185,
    uuid = 2950,
    uuid_array = 2951,
    void_ = 2278,
};

/// The type's name in SQL, or `type <number>` for one that is neither listed above nor common.
PERDURE_DECL std::string to_string(oid);

namespace detail {

PERDURE_DECL void write_integer(bytes& out, std::int64_t value, std::size_t width);
PERDURE_DECL void write_double(bytes& out, double value);
PERDURE_DECL void write_bytes(bytes& out, std::span<const std::byte> value);
PERDURE_DECL void write_timestamp(bytes& out, timestamp value);
PERDURE_DECL void patch_int32(bytes& out, std::size_t offset, std::int32_t value);

PERDURE_DECL std::int64_t read_integer(
    std::span<const std::byte> data, std::int64_t least, std::int64_t greatest);
PERDURE_DECL bool read_boolean(std::span<const std::byte> data);
PERDURE_DECL double read_double(std::span<const std::byte> data);
PERDURE_DECL timestamp read_timestamp(std::span<const std::byte> data);
PERDURE_DECL boost::uuids::uuid read_uuid(std::span<const std::byte> data);

PERDURE_DECL bool is_known(oid) noexcept; ///< Whether it is listed above.
PERDURE_DECL bool is_integer(oid) noexcept;
PERDURE_DECL bool is_text(oid) noexcept;

[[noreturn]] PERDURE_DECL void throw_unexpected_null();

/// Writes the header of a one-dimensional array with `size` elements.
PERDURE_DECL void write_array_header(bytes& out, oid element, std::size_t size);

/// Walks a received array; throws errc::bad_value when it has more than one dimension or is cut
/// short.
class PERDURE_DECL array_reader
{
public:
    explicit array_reader(std::span<const std::byte> data);
    std::size_t size() const noexcept { return size_; }
    std::optional<std::span<const std::byte>> next(); ///< Empty: null.

private:
    std::span<const std::byte> take(std::size_t count);

    std::span<const std::byte> rest_;
    std::size_t size_ = 0;
};

/// How a type crosses: `type` and `array_type` when sent; `write` appends the bytes of a value;
/// `accepts` and `read`, where they exist, for what is received. Defined for the types listed at
/// `parameters`.
template <class T>
struct codec;

template <class T>
concept sendable = requires(bytes& out, const T& value) {
    { codec<T>::type } -> std::convertible_to<oid>;
    codec<T>::write(out, value);
};

template <class T>
concept receivable = requires(std::span<const std::byte> data) {
    { codec<T>::read(data) } -> std::same_as<T>;
    { codec<T>::accepts(oid{}) } -> std::same_as<bool>;
};

template <class T>
inline constexpr bool is_optional = false;
template <class T>
inline constexpr bool is_optional<std::optional<T>> = true;

template <>
struct codec<bool>
{
    static constexpr oid type = oid::boolean;
    static constexpr oid array_type = oid::boolean_array;
    static void write(bytes& out, bool value) { write_integer(out, value ? 1 : 0, 1); }
    static bool accepts(oid t) noexcept { return t == oid::boolean; }
    static bool read(std::span<const std::byte> data) { return read_boolean(data); }
};

template <class T>
concept signed_number = std::signed_integral<T> && !std::same_as<T, char> &&
                        !std::same_as<T, wchar_t> && (sizeof(T) >= 2);

template <signed_number T>
struct codec<T>
{
    static constexpr oid type = sizeof(T) == 2 ? oid::int2 : sizeof(T) == 4 ? oid::int4 : oid::int8;
    static constexpr oid array_type = sizeof(T) == 2   ? oid::int2_array
                                      : sizeof(T) == 4 ? oid::int4_array
                                                       : oid::int8_array;
    static void write(bytes& out, T value) { write_integer(out, value, sizeof(T)); }
    static bool accepts(oid t) noexcept { return is_integer(t); }
    static T read(std::span<const std::byte> data)
    {
        return static_cast<T>(
            read_integer(data, std::numeric_limits<T>::min(), std::numeric_limits<T>::max()));
    }
};

/// The signed integer that holds every value of an enumeration's underlying type.
template <class U>
using enum_number = std::conditional_t<
    (sizeof(U) < 2 || (sizeof(U) == 2 && std::is_signed_v<U>)), std::int16_t,
    std::conditional_t<
        (sizeof(U) == 2 || (sizeof(U) == 4 && std::is_signed_v<U>)), std::int32_t, std::int64_t>>;

template <class T>
    requires std::is_enum_v<T>
struct codec<T>
{
    using underlying = std::underlying_type_t<T>;
    using number = enum_number<underlying>;
    static_assert(
        std::is_signed_v<underlying> || sizeof(underlying) < 8,
        "PostgreSQL has no unsigned 64-bit integer: give the enumeration a signed type");
    static constexpr oid type = codec<number>::type;
    static constexpr oid array_type = codec<number>::array_type;
    static void write(bytes& out, T value)
    {
        codec<number>::write(out, static_cast<number>(value));
    }
    static bool accepts(oid t) noexcept { return is_integer(t); }
    static T read(std::span<const std::byte> data)
    {
        return static_cast<T>(read_integer(
            data, std::numeric_limits<underlying>::min(),
            static_cast<std::int64_t>(std::numeric_limits<underlying>::max())));
    }
};

template <>
struct codec<double>
{
    static constexpr oid type = oid::float8;
    static constexpr oid array_type = oid::float8_array;
    static void write(bytes& out, double value) { write_double(out, value); }
    static bool accepts(oid t) noexcept { return t == oid::float8 || t == oid::float4; }
    static double read(std::span<const std::byte> data) { return read_double(data); }
};

template <>
struct codec<std::string_view>
{
    static constexpr oid type = oid::text;
    static constexpr oid array_type = oid::text_array;
    static void write(bytes& out, std::string_view value)
    {
        write_bytes(out, std::as_bytes(std::span{value}));
    }
};

template <>
struct codec<std::string>
{
    static constexpr oid type = oid::text;
    static constexpr oid array_type = oid::text_array;
    static void write(bytes& out, const std::string& value)
    {
        codec<std::string_view>::write(out, value);
    }
    static bool accepts(oid t) noexcept { return is_text(t); }
    static std::string read(std::span<const std::byte> data)
    {
        return {reinterpret_cast<const char*>(data.data()), data.size()};
    }
};

template <>
struct codec<std::span<const std::byte>>
{
    static constexpr oid type = oid::bytea;
    static constexpr oid array_type = oid::bytea_array;
    static void write(bytes& out, std::span<const std::byte> value) { write_bytes(out, value); }
};

template <>
struct codec<bytes>
{
    static constexpr oid type = oid::bytea;
    static constexpr oid array_type = oid::bytea_array;
    static void write(bytes& out, const bytes& value) { write_bytes(out, value); }
    static bool accepts(oid t) noexcept { return t == oid::bytea; }
    static bytes read(std::span<const std::byte> data) { return {data.begin(), data.end()}; }
};

template <>
struct codec<timestamp>
{
    static constexpr oid type = oid::timestamptz;
    static constexpr oid array_type = oid::timestamptz_array;
    static void write(bytes& out, timestamp value) { write_timestamp(out, value); }
    static bool accepts(oid t) noexcept { return t == oid::timestamptz; }
    static timestamp read(std::span<const std::byte> data) { return read_timestamp(data); }
};

template <>
struct codec<std::chrono::milliseconds>
{
    static constexpr oid type = oid::int8;
    static constexpr oid array_type = oid::int8_array;
    static void write(bytes& out, std::chrono::milliseconds value)
    {
        write_integer(out, value.count(), 8);
    }
};

template <>
struct codec<boost::uuids::uuid>
{
    static constexpr oid type = oid::uuid;
    static constexpr oid array_type = oid::uuid_array;
    static void write(bytes& out, const boost::uuids::uuid& value)
    {
        write_bytes(out, std::as_bytes(std::span{value.data}));
    }
    static bool accepts(oid t) noexcept { return t == oid::uuid; }
    static boost::uuids::uuid read(std::span<const std::byte> data) { return read_uuid(data); }
};

/// The oid of an element of this array type, or `oid::none`.
PERDURE_DECL oid element_of(oid array) noexcept;

template <class T>
struct element_codec
{
    using value_type = T;
};
template <class T>
struct element_codec<std::optional<T>>
{
    using value_type = T;
};

template <class Range, class T>
void write_array(bytes& out, const Range& values)
{
    using element = codec<typename element_codec<T>::value_type>;
    write_array_header(out, element::type, values.size());
    for (const auto& value : values) {
        const std::size_t length_at = out.size();
        write_integer(out, -1, 4);
        if constexpr (is_optional<T>) {
            if (!value) continue;
            element::write(out, *value);
        } else {
            element::write(out, value);
        }
        patch_int32(out, length_at, static_cast<std::int32_t>(out.size() - length_at - 4));
    }
}

template <class T>
    requires(
        !std::same_as<std::remove_const_t<T>, std::byte> &&
        sendable<typename element_codec<std::remove_const_t<T>>::value_type>)
struct codec<std::span<T>>
{
    using element = codec<typename element_codec<std::remove_const_t<T>>::value_type>;
    static constexpr oid type = element::array_type;
    static void write(bytes& out, std::span<T> values)
    {
        write_array<std::span<T>, std::remove_const_t<T>>(out, values);
    }
};

template <class T>
    requires(!std::same_as<T, std::byte> && sendable<typename element_codec<T>::value_type>)
struct codec<std::vector<T>>
{
    using element = codec<typename element_codec<T>::value_type>;
    static constexpr oid type = element::array_type;

    static void write(bytes& out, const std::vector<T>& values)
    {
        write_array<std::vector<T>, T>(out, values);
    }

    static bool accepts(oid t) noexcept
        requires receivable<typename element_codec<T>::value_type>
    {
        return element_of(t) != oid::none && element::accepts(element_of(t));
    }

    static std::vector<T> read(std::span<const std::byte> data)
        requires receivable<typename element_codec<T>::value_type>
    {
        array_reader reader{data};
        std::vector<T> values;
        values.reserve(reader.size());
        for (std::size_t i = 0; i < reader.size(); ++i) {
            const auto element_data = reader.next();
            if (element_data)
                values.push_back(element::read(*element_data));
            else if constexpr (is_optional<T>)
                values.push_back(std::nullopt);
            else
                throw_unexpected_null();
        }
        return values;
    }
};

} // namespace detail
} // namespace perdure::pg
