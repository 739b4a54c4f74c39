// How a type is written as JSON and read back: the customisation point, and the simple types.
#pragma once

#include <perdure/workflow/payload.hpp>
#include <perdure/workflow/payload_reader.hpp>
#include <perdure/workflow/payload_writer.hpp>

#include <boost/core/demangle.hpp>
#include <boost/describe/enum_to_string.hpp>
#include <boost/describe/enumerators.hpp>
#include <boost/mp11/algorithm.hpp>

#include <chrono>
#include <concepts>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <variant>

namespace perdure {

/// How T is encoded. The library specialises it for bool, integers, floating-point numbers,
/// std::string, bytes, enums, std::optional, std::vector, std::array, std::map with string keys,
/// std::pair, std::tuple, std::variant, chrono durations and sys_time, boost::uuids::uuid,
/// std::monostate, and structs that are described with BOOST_DESCRIBE_STRUCT. A program may
/// specialise it for its own types:
///
/// `static void write(payload_writer&, const T&)` writes exactly one value; `static T read(const
/// payload_reader&)` reads it or throws error (payload_reader::refuse); `static std::string name()`
/// is the type's name in error messages.
template <class T>
struct conversion;

/// A type that can be an argument, a result, a signal's value or a failure's details.
template <class T>
concept payload_type = requires(payload_writer& to, const payload_reader& from, const T& value) {
    conversion<T>::write(to, value);
    { conversion<T>::read(from) } -> std::same_as<T>;
};

/// JSON true and false.
template <>
struct conversion<bool>
{
    static void write(payload_writer& to, bool value) { to.boolean(value); }
    static bool read(const payload_reader& from) { return from.boolean(); }
    static std::string name() { return "bool"; }
};

namespace detail {

template <class T>
concept character = std::same_as<T, char> || std::same_as<T, wchar_t> || std::same_as<T, char8_t> ||
                    std::same_as<T, char16_t> || std::same_as<T, char32_t>;

} // namespace detail

/// Integers of up to 64 bits, exactly.
template <std::integral T>
    requires(!detail::character<T> && sizeof(T) <= sizeof(std::int64_t))
struct conversion<T>
{
    static void write(payload_writer& to, T value)
    {
        if constexpr (std::is_signed_v<T>)
            to.integer(value);
        else
            to.unsigned_integer(value);
    }

    static T read(const payload_reader& from)
    {
        using limits = std::numeric_limits<T>;
        if constexpr (std::is_signed_v<T>)
            return static_cast<T>(from.integer(limits::min(), limits::max()));
        else
            return static_cast<T>(from.unsigned_integer(limits::max()));
    }

    static std::string name()
    {
        return (std::is_signed_v<T> ? "int" : "uint") + std::to_string(8 * sizeof(T));
    }
};

/// Floating-point numbers; infinities and NaN are refused.
template <class T>
    requires(std::same_as<T, double> || std::same_as<T, float>)
struct conversion<T>
{
    static void write(payload_writer& to, T value) { to.number(static_cast<double>(value)); }
    static T read(const payload_reader& from) { return static_cast<T>(from.number()); }
    static std::string name() { return std::same_as<T, double> ? "double" : "float"; }
};

/// Text in UTF-8.
template <>
struct conversion<std::string>
{
    static void write(payload_writer& to, const std::string& value) { to.string(value); }
    static std::string read(const payload_reader& from) { return std::string(from.string()); }
    static std::string name() { return "string"; }
};

/// Octets, as base64.
template <>
struct conversion<bytes>
{
    static void write(payload_writer& to, const bytes& value) { to.binary(value); }
    static bytes read(const payload_reader& from) { return from.binary(); }
    static std::string name() { return "bytes"; }
};

/// Nothing, as null.
template <>
struct conversion<std::monostate>
{
    static void write(payload_writer& to, std::monostate) { to.null(); }
    static std::monostate read(const payload_reader& from)
    {
        if (!from.is_null()) from.refuse("null");
        return {};
    }
    static std::string name() { return "nothing"; }
};

/// Enumerations: described ones (BOOST_DESCRIBE_ENUM) by the enumerator's name, others by their
/// integer.
template <class T>
    requires std::is_enum_v<T>
struct conversion<T>
{
    static constexpr bool described = boost::describe::has_describe_enumerators<T>::value;
    using integer = conversion<std::underlying_type_t<T>>;

    static void write(payload_writer& to, T value)
    {
        if constexpr (described) {
            const char* name_of_value = boost::describe::enum_to_string(value, nullptr);
            if (name_of_value != nullptr) return to.string(name_of_value);
        }
        integer::write(to, static_cast<std::underlying_type_t<T>>(value));
    }

    static T read(const payload_reader& from)
    {
        if constexpr (described) {
            const std::string_view text = from.string();
            std::optional<T> found;
            boost::mp11::mp_for_each<boost::describe::describe_enumerators<T>>(
                [&](auto enumerator) {
                    if (text == enumerator.name) found = enumerator.value;
                });
            if (!found) from.refuse("the name of a " + name());
            return *found;
        } else {
            return static_cast<T>(integer::read(from));
        }
    }

    static std::string name() { return boost::core::demangle(typeid(T).name()); }
};

/// Durations, as the count of their own unit: 1500 for std::chrono::milliseconds{1500}.
template <class Rep, class Period>
    requires payload_type<Rep>
struct conversion<std::chrono::duration<Rep, Period>>
{
    using type = std::chrono::duration<Rep, Period>;
    static void write(payload_writer& to, type value) { conversion<Rep>::write(to, value.count()); }
    static type read(const payload_reader& from) { return type(conversion<Rep>::read(from)); }
    static std::string name() { return "duration"; }
};

/// Instants of the system clock, as the count of their own unit since the Unix epoch.
template <class Duration>
    requires payload_type<Duration>
struct conversion<std::chrono::sys_time<Duration>>
{
    using type = std::chrono::sys_time<Duration>;
    static void write(payload_writer& to, type value)
    {
        conversion<Duration>::write(to, value.time_since_epoch());
    }
    static type read(const payload_reader& from) { return type(conversion<Duration>::read(from)); }
    static std::string name() { return "time"; }
};

} // namespace perdure
