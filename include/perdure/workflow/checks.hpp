// Bad input gets one clear sentence at the call that caused it, and changes nothing: the checks
// that every edge of the library makes before anything is stored.
#pragma once

#include <perdure/config.hpp>
#include <perdure/workflow/payload.hpp>

#include <string_view>

namespace perdure {

/** Checks an instance's id: 1 to 255 bytes of UTF-8 without control characters.
 *  \throws error errc::invalid_argument that shows the id and says what is wrong with it.
 */
PERDURE_DECL void check_id(std::string_view id);

/** Checks the name of a queue, workflow, activity, signal or failure: 1 to 100 of `A-Za-z0-9-_./`.
 *  \param what what is named, for the message: "queue", "signal".
 *  \throws error errc::invalid_argument that shows the name and says what is wrong with it.
 */
PERDURE_DECL void check_name(std::string_view what, std::string_view name);

/** Checks a payload's size: at most 2 MiB.
 *  \param what what the payload is, for the message: "the arguments of activity charge".
 *  \throws error errc::payload_too_large with the size and the limit.
 */
PERDURE_DECL void check_payload(std::string_view what, const payload&);

/** Checks that a payload that was not made by \ref encode is one JSON value in UTF-8, or a codec's
 * output.
 *  \param what what the payload is, for the message.
 *  \throws error errc::malformed_payload with the place of the first mistake.
 */
PERDURE_DECL void check_json(std::string_view what, const payload&);

} // namespace perdure
