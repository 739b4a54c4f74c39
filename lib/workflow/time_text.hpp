// Instants as text (RFC 3339, UTC, microseconds): `2026-11-21T06:39:09.000001Z`.
#pragma once

#include <perdure/workflow/timestamp.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace perdure::detail {

/// The text of an instant of the years 0 to 9999; later and earlier ones are moved to these bounds.
std::string to_time_text(timestamp);

/// The instant of such a text, exactly in that form; else nothing.
std::optional<timestamp> parse_time_text(std::string_view text);

} // namespace perdure::detail
