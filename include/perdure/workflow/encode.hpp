// Values to payloads and back.
#pragma once

#include <perdure/config.hpp>
#include <perdure/workflow/containers.hpp>
#include <perdure/workflow/conversion.hpp>
#include <perdure/workflow/described.hpp>
#include <perdure/workflow/payload.hpp>

#include <cstddef>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

namespace perdure {

/// Encodes a value as JSON text. The same value always gives the same bytes.
/// \throws error errc::malformed_payload when a part of it has no JSON form (text that is not
/// UTF-8, an infinity), with the path of that part. The size is not checked: \ref check_payload.
template <payload_type T>
payload encode(const T& value)
{
    payload_writer to;
    conversion<T>::write(to, value);
    return payload::from_text(to.take());
}

/// Decodes a value.
/// \throws error errc::malformed_payload when the payload is no JSON or not of this type: the path,
/// what was expected and what was found.
template <payload_type T>
T decode(const payload& from)
{
    const payload_document document(from);
    return conversion<T>::read(document.root());
}

namespace detail {

/// Parses a call's arguments; in the error their owner and signature stand before the sentence.
PERDURE_DECL payload_document
parse_arguments(const payload& from, std::string_view what, std::string_view signature);

/// Checks that `arguments` is an array that can stand for `count` parameters, of which those from
/// `required` on may be missing; throws error errc::malformed_payload: `<what>: expected
/// <signature>, found array of 2`.
PERDURE_DECL void check_arguments(
    std::string_view what, std::string_view signature, const payload_reader& arguments,
    std::size_t required, std::size_t count);

/// Throws the error in flight again with `<what>: expected <signature>, argument <index + 1>`
/// before its sentence.
[[noreturn]] PERDURE_DECL void rethrow_argument_error(
    std::string_view what, std::string_view signature, std::size_t index);

/// `(shop::order, string)`
template <class... P>
std::string signature()
{
    std::string names;
    ((names += (names.empty() ? "" : ", ") + conversion<P>::name()), ...);
    return "(" + names + ")";
}

/// Parameters up to the last that is no std::optional.
template <class... P>
constexpr std::size_t required_parameters()
{
    std::size_t index = 0;
    std::size_t required = 0;
    ((++index, required = is_optional<P> ? required : index), ...);
    return required;
}

template <class T, class... P>
T read_argument(
    std::string_view what, const payload_reader& arguments, std::size_t size, std::size_t index)
{
    if constexpr (is_optional<T>) {
        if (index >= size) return std::nullopt;
    }
    try {
        return conversion<T>::read(arguments.element(index).as_root());
    } catch (...) {
        rethrow_argument_error(what, signature<P...>(), index);
    }
}

} // namespace detail

/// Decodes the arguments of a call, a JSON array, for the parameters P. Trailing std::optional
/// parameters may be missing, so that a definition can grow.
/// \param what whose arguments these are, for the message: "workflow checkout".
/// \throws error errc::malformed_payload: `workflow checkout: expected (shop::order), found array
/// of 2`.
template <payload_type... P>
std::tuple<P...> decode_arguments(const payload& from, std::string_view what)
{
    const payload_document document =
        detail::parse_arguments(from, what, detail::signature<P...>());
    const payload_reader arguments = document.root();
    detail::check_arguments(
        what, detail::signature<P...>(), arguments, detail::required_parameters<P...>(),
        sizeof...(P));
    const std::size_t size = arguments.array_size();
    return [&]<std::size_t... I>(std::index_sequence<I...>) {
        return std::tuple<P...>{detail::read_argument<P, P...>(what, arguments, size, I)...};
    }(std::index_sequence_for<P...>{});
}

} // namespace perdure
