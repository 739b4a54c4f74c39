// Checks of options whose refusals name what was expected and what was found.
#pragma once

// clang-format off: the second needs the first
#include <CLI/Error.hpp>
#include <CLI/Validators.hpp>
// clang-format on

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace perdure::tool {

/// A whole number in a range.
CLI::Validator number_from(
    std::int32_t first, std::int32_t last = std::numeric_limits<std::int32_t>::max());

/// One of these words.
CLI::Validator one_of(std::vector<std::string> words);

/// Any text but none.
CLI::Validator not_empty();

} // namespace perdure::tool
