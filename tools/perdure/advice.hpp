// What to do about an error, for this command line.
#pragma once

#include "commands.hpp"

#include <exception>
#include <string>

namespace perdure::tool {

/// What an error says, in one sentence or two. Advice to run `perdure migrate` repeats where the
/// user said to look, so that it can be pasted; a connection string with a password is left out.
std::string sentence_of(const std::exception& failure, const target& where);

/// A word as a shell reads it back: 'it'\''s'.
std::string quote(const std::string& word);

} // namespace perdure::tool
