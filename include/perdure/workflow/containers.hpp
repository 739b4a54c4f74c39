// Conversions of the standard library's containers and of UUIDs.
#pragma once

#include <perdure/config.hpp>
#include <perdure/workflow/conversion.hpp>

#include <boost/uuid/uuid.hpp>

#include <array>
#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

namespace perdure {

/// A value, or null. As a member of a described struct it may be missing when read.
template <payload_type T>
struct conversion<std::optional<T>>
{
    static void write(payload_writer& to, const std::optional<T>& value)
    {
        if (value)
            conversion<T>::write(to, *value);
        else
            to.null();
    }

    static std::optional<T> read(const payload_reader& from)
    {
        if (from.is_null()) return std::nullopt;
        return conversion<T>::read(from);
    }

    static std::string name() { return "optional<" + conversion<T>::name() + ">"; }
};

/// An array.
template <class T>
    requires(!std::same_as<T, std::byte>)
struct conversion<std::vector<T>>
{
    static_assert(payload_type<T>, "perdure: the elements of this vector cannot be encoded");

    static void write(payload_writer& to, const std::vector<T>& value)
    {
        to.begin_array();
        for (const T& element : value) conversion<T>::write(to, element);
        to.end_array();
    }

    static std::vector<T> read(const payload_reader& from)
    {
        const std::size_t size = from.array_size();
        std::vector<T> value;
        value.reserve(size);
        for (std::size_t i = 0; i != size; ++i)
            value.push_back(conversion<T>::read(from.element(i)));
        return value;
    }

    static std::string name() { return "vector<" + conversion<T>::name() + ">"; }
};

/// An object; the members in the order of their names.
template <class T, class Compare>
struct conversion<std::map<std::string, T, Compare>>
{
    static_assert(payload_type<T>, "perdure: the values of this map cannot be encoded");
    using type = std::map<std::string, T, Compare>;

    static void write(payload_writer& to, const type& value)
    {
        to.begin_object();
        for (const auto& [key, element] : value) {
            to.key(key);
            conversion<T>::write(to, element);
        }
        to.end_object();
    }

    static type read(const payload_reader& from)
    {
        type value;
        for (std::size_t i = 0, size = from.object_size(); i != size; ++i) {
            const payload_reader member = from.member_at(i);
            value.insert_or_assign(std::string(member.key()), conversion<T>::read(member));
        }
        return value;
    }

    static std::string name() { return "map<string, " + conversion<T>::name() + ">"; }
};

/// An array of exactly that many elements.
template <payload_type T, std::size_t Size>
struct conversion<std::array<T, Size>>
{
    static void write(payload_writer& to, const std::array<T, Size>& value)
    {
        to.begin_array();
        for (const T& element : value) conversion<T>::write(to, element);
        to.end_array();
    }

    static std::array<T, Size> read(const payload_reader& from)
    {
        if (from.array_size() != Size) from.refuse("array of " + std::to_string(Size));
        return [&]<std::size_t... I>(std::index_sequence<I...>) {
            return std::array<T, Size>{conversion<T>::read(from.element(I))...};
        }(std::make_index_sequence<Size>{});
    }

    static std::string name()
    {
        return "array<" + conversion<T>::name() + ", " + std::to_string(Size) + ">";
    }
};

/// An array with one element for each element of the tuple.
template <payload_type... T>
struct conversion<std::tuple<T...>>
{
    static void write(payload_writer& to, const std::tuple<T...>& value)
    {
        to.begin_array();
        std::apply([&](const T&... element) { (conversion<T>::write(to, element), ...); }, value);
        to.end_array();
    }

    static std::tuple<T...> read(const payload_reader& from)
    {
        if (from.array_size() != sizeof...(T))
            from.refuse("array of " + std::to_string(sizeof...(T)));
        return [&]<std::size_t... I>(std::index_sequence<I...>) {
            return std::tuple<T...>{conversion<T>::read(from.element(I))...};
        }(std::index_sequence_for<T...>{});
    }

    static std::string name()
    {
        std::string names;
        ((names += (names.empty() ? "" : ", ") + conversion<T>::name()), ...);
        return "tuple<" + names + ">";
    }
};

/// An array of two.
template <payload_type First, payload_type Second>
struct conversion<std::pair<First, Second>>
{
    using type = std::pair<First, Second>;

    static void write(payload_writer& to, const type& value)
    {
        to.begin_array();
        conversion<First>::write(to, value.first);
        conversion<Second>::write(to, value.second);
        to.end_array();
    }

    static type read(const payload_reader& from)
    {
        if (from.array_size() != 2) from.refuse("array of 2");
        return type{
            conversion<First>::read(from.element(0)), conversion<Second>::read(from.element(1))};
    }

    static std::string name()
    {
        return "pair<" + conversion<First>::name() + ", " + conversion<Second>::name() + ">";
    }
};

/// An array of two: the alternative's index and its value. New alternatives go to the end.
template <payload_type... T>
struct conversion<std::variant<T...>>
{
    using type = std::variant<T...>;

    static void write(payload_writer& to, const type& value)
    {
        to.begin_array();
        to.unsigned_integer(value.index());
        std::visit(
            [&](const auto& alternative) {
                conversion<std::remove_cvref_t<decltype(alternative)>>::write(to, alternative);
            },
            value);
        to.end_array();
    }

    static type read(const payload_reader& from)
    {
        if (from.array_size() != 2) from.refuse("array of 2, index and value");
        const std::uint64_t index = from.element(0).unsigned_integer(sizeof...(T) - 1);
        const payload_reader content = from.element(1);
        return [&]<std::size_t... I>(std::index_sequence<I...>) {
            using function = type (*)(const payload_reader&);
            constexpr function readers[] = {[](const payload_reader& alternative) {
                return type(std::in_place_index<I>, conversion<T>::read(alternative));
            }...};
            return readers[index](content);
        }(std::index_sequence_for<T...>{});
    }

    static std::string name()
    {
        std::string names;
        ((names += (names.empty() ? "" : ", ") + conversion<T>::name()), ...);
        return "variant<" + names + ">";
    }
};

/// The 36 characters of a UUID.
template <>
struct PERDURE_DECL conversion<boost::uuids::uuid>
{
    static void write(payload_writer& to, const boost::uuids::uuid& value);
    static boost::uuids::uuid read(const payload_reader& from);
    static std::string name() { return "uuid"; }
};

} // namespace perdure
