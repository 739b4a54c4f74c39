// One argument on its way into a call: it is encoded where it is written, and whatever is wrong
// with its type is said there, in one sentence.
#pragma once

#include <perdure/config.hpp>
#include <perdure/workflow/encode.hpp>

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace perdure {

namespace detail {

/// An argument's JSON text, or why it has none.
class encoded_argument
{
public:
    encoded_argument() = default;
    encoded_argument(std::string text, std::string problem) noexcept
        : text_(std::move(text)), problem_(std::move(problem))
    {}

    std::string& text() noexcept { return text_; }
    const std::string& problem() const noexcept { return problem_; }

private:
    std::string text_;
    std::string problem_;
};

/// Runs `write` on the value and keeps its text, or the sentence of the error it threw.
PERDURE_DECL encoded_argument
encode_argument(const void* value, void (*write)(payload_writer&, const void*));

/// Makes the JSON array of a call's arguments. `what` and `name` say whose they are in the errors:
/// errc::malformed_payload for an argument that could not be encoded, errc::payload_too_large for
/// all together.
PERDURE_DECL payload join_arguments(
    std::string_view what, std::string_view name, std::span<encoded_argument* const> arguments);

/// The same for a parameter pack.
template <class... A>
payload join_arguments(std::string_view what, std::string_view name, A&... arguments)
{
    encoded_argument* const all[] = {static_cast<encoded_argument*>(&arguments)..., nullptr};
    return join_arguments(what, name, std::span<encoded_argument* const>(all, sizeof...(A)));
}

/// Checks one encoded value; the errors of join_arguments.
PERDURE_DECL payload
single_argument(std::string_view what, std::string_view name, encoded_argument& argument);

template <class To, class From>
concept loses_value =
    (std::is_integral_v<To> && std::is_floating_point_v<std::remove_cvref_t<From>>) ||
    (std::is_same_v<To, bool> && !std::is_same_v<std::remove_cvref_t<From>, bool> &&
     std::is_convertible_v<From, const volatile void*>);

/// GCC 12 destroys such a temporary twice when it stands beside a co_await.
template <class From>
concept destroyed_twice_by_gcc12 = !std::is_lvalue_reference_v<From> && std::is_aggregate_v<From> &&
                                   !std::is_trivially_destructible_v<From>;

#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ < 13
inline constexpr bool compiler_is_gcc12 = true;
#else
inline constexpr bool compiler_is_gcc12 = false;
#endif

} // namespace detail

/// The parameter type of calls of definitions: anything that converts to T, encoded at once.
///
/// Never throws for what cannot be encoded (a string that is not UTF-8, say); the call does.
template <class T>
class arg : public detail::encoded_argument
{
public:
    template <class From>
        requires(!std::is_base_of_v<detail::encoded_argument, std::remove_cvref_t<From>>)
    arg(From&& value) // implicit by design, and never copied from its own type
    {
        static_assert(
            payload_type<T>, "perdure: this argument's type cannot be encoded; describe it with "
                             "BOOST_DESCRIBE_STRUCT, or specialise "
                             "perdure::conversion for it");
        static_assert(
            std::is_convertible_v<From, T>, "perdure: the argument's type does not match the "
                                            "parameter in the definition's signature");
        static_assert(
            !detail::loses_value<T, From>, "perdure: the argument would be narrowed to the "
                                           "parameter's type; convert it explicitly");
        static_assert(
            !(detail::compiler_is_gcc12 && detail::destroyed_twice_by_gcc12<From>),
            "perdure: GCC 12 destroys a temporary aggregate beside co_await twice; give it a name "
            "and pass the "
            "named object");
        if constexpr (payload_type<T> && std::is_convertible_v<From, T>) {
            if constexpr (std::is_same_v<std::remove_cvref_t<From>, T>) {
                static_cast<detail::encoded_argument&>(*this) =
                    detail::encode_argument(&value, [](payload_writer& to, const void* from) {
                        conversion<T>::write(to, *static_cast<const T*>(from));
                    });
            } else {
                const T converted = static_cast<T>(std::forward<From>(value));
                static_cast<detail::encoded_argument&>(*this) =
                    detail::encode_argument(&converted, [](payload_writer& to, const void* from) {
                        conversion<T>::write(to, *static_cast<const T*>(from));
                    });
            }
        }
    }
};

} // namespace perdure
