// Conversion of structs that are described with BOOST_DESCRIBE_STRUCT: objects, with a member for
// each described one.
#pragma once

#include <perdure/workflow/conversion.hpp>

#include <boost/describe/members.hpp>
#include <boost/describe/modifiers.hpp>
#include <boost/mp11/algorithm.hpp>

#include <optional>
#include <string>
#include <type_traits>

namespace perdure {

namespace detail {

template <class T>
inline constexpr bool is_optional = false;
template <class T>
inline constexpr bool is_optional<std::optional<T>> = true;

template <class T>
using described_members = boost::describe::describe_members<
    T, boost::describe::mod_public | boost::describe::mod_inherited>;

template <class T, class Descriptor>
using member_type = std::remove_cvref_t<decltype(std::declval<T&>().*Descriptor::pointer)>;

} // namespace detail

/// A described struct, members in the order of their description. Reading is lenient, because
/// payloads outlive code: unknown members are ignored, a missing std::optional is empty. Any other
/// missing member is an error with its path.
template <class T>
    requires(std::is_class_v<T> && boost::describe::has_describe_members<T>::value)
struct conversion<T>
{
    static void write(payload_writer& to, const T& value)
    {
        to.begin_object();
        boost::mp11::mp_for_each<detail::described_members<T>>([&](auto descriptor) {
            using type = detail::member_type<T, decltype(descriptor)>;
            static_assert(
                payload_type<type>, "perdure: a member of this described struct cannot be encoded; "
                                    "describe its type with BOOST_DESCRIBE_STRUCT, or specialise "
                                    "perdure::conversion for it");
            if constexpr (payload_type<type>) {
                to.key(descriptor.name);
                conversion<type>::write(to, value.*descriptor.pointer);
            }
        });
        to.end_object();
    }

    static T read(const payload_reader& from)
    {
        constexpr bool has_default = std::is_default_constructible_v<T>;
        static_assert(
            has_default, "perdure: a described struct is read into one that was "
                         "default-constructed; give it a default constructor");
        if constexpr (has_default) {
            T value{};
            from.object_size();
            boost::mp11::mp_for_each<detail::described_members<T>>([&](auto descriptor) {
                using type = detail::member_type<T, decltype(descriptor)>;
                if constexpr (detail::is_optional<type>) {
                    if (const auto member = from.find(descriptor.name))
                        value.*descriptor.pointer = conversion<type>::read(*member);
                } else if constexpr (payload_type<type>) {
                    value.*descriptor.pointer =
                        conversion<type>::read(from.member(descriptor.name));
                }
            });
            return value;
        } else {
            from.refuse(name());
        }
    }

    static std::string name() { return boost::core::demangle(typeid(T).name()); }
};

} // namespace perdure
