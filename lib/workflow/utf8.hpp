// Whether octets are text.
#pragma once

#include <cstddef>
#include <string_view>

namespace perdure::detail {

/// The number of leading bytes that are well-formed UTF-8 (Unicode, table 3-7); all of them when
/// the text is.
std::size_t valid_utf8_prefix(std::string_view text) noexcept;

} // namespace perdure::detail
