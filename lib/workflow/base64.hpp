// Octets as text (RFC 4648, section 4, with padding).
#pragma once

#include <perdure/workflow/payload.hpp>

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace perdure::detail {

/// Appends the base64 text of the octets.
void append_base64(std::string& text, std::span<const std::byte> octets);

/// The octets of a base64 text; nothing when it is none, or not the one that append_base64 writes.
std::optional<bytes> parse_base64(std::string_view text);

} // namespace perdure::detail
