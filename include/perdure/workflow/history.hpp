// A run's history as a document: for people, for tools, and for tests that replay what was recorded
// once. The format is described in docs/history.md.
#pragma once

#include <perdure/config.hpp>
#include <perdure/workflow/event.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace perdure {

/// The version of the format that this library writes, and the only one it reads.
inline constexpr int history_version = 1;

/// The history of one run, and whose it is.
struct history_document
{
    std::string id;       ///< the instance's id
    std::string workflow; ///< the workflow's durable name
    std::int32_t run = 1; ///< the run's number
    std::vector<event> events;

    friend bool operator==(const history_document&, const history_document&) = default;
};

/// The document as JSON text, one event a line, with a final newline. Equal documents give equal
/// text.
/// \throws error errc::malformed_payload when a name is not UTF-8 or an event's data is no JSON.
PERDURE_DECL std::string encode_history(const history_document&);

/// Reads a document.
/// \throws error errc::malformed_payload when it is none, is of another version, or has an event
/// that this version of the library does not know; with the path. Unknown members are ignored.
PERDURE_DECL history_document decode_history(std::string_view text);

} // namespace perdure
