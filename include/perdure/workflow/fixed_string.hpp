// A string literal as a template argument: the durable name in `perdure::workflow<"checkout", …>`.
#pragma once

#include <perdure/workflow/defaults.hpp>

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace perdure {

/// The characters of a string literal, as a structural type.
template <std::size_t Size>
struct fixed_string
{
    char characters[Size] = {}; ///< the literal, its final null included

    /// Implicit, so that a literal can stand as the template argument.
    consteval fixed_string(const char (&literal)[Size]) { std::copy_n(literal, Size, characters); }

    /// The literal without its final null.
    constexpr std::string_view view() const noexcept { return {characters, Size - 1}; }
};

namespace detail {

constexpr bool is_name_character(char c) noexcept
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.' || c == '/';
}

constexpr bool is_durable_name(std::string_view name) noexcept
{
    return !name.empty() && name.size() <= defaults::maximum_name &&
           std::all_of(name.begin(), name.end(), is_name_character);
}

} // namespace detail

} // namespace perdure
