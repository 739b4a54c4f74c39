// How values look on a terminal.
#pragma once

#include <perdure/workflow/payload.hpp>
#include <perdure/workflow/timestamp.hpp>

#include <cstddef>
#include <string>
#include <string_view>

namespace perdure::tool {

/// `2026-11-21T06:55:48.123456Z`
std::string to_text(timestamp when);

/// A payload on one line, cut to `limit` bytes at a character's end; a codec's output as its size.
std::string to_text(const payload& value, std::size_t limit);

/// Text on one line: control characters are replaced by spaces, the end is cut off as above.
std::string one_line(std::string_view text, std::size_t limit = std::string_view::npos);

/// How many columns UTF-8 text takes, if each character takes one.
std::size_t columns(std::string_view text) noexcept;

} // namespace perdure::tool
