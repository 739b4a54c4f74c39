// What the library says while it works. It writes to no stream and no file of its own: everything
// goes to the one function that the engine was given.
#pragma once

#include <perdure/config.hpp>

#include <functional>
#include <span>
#include <string>
#include <string_view>

namespace perdure {

/// How much a message matters.
enum class log_level
{
    debug,   ///< a step that is only interesting while looking for a fault
    info,    ///< something changed that an operator may want to know: the listener is up again, a
             ///< drain began
    warning, ///< handled, but worth a look: a lost lease, a hand-back, a retried activity, a gap in
             ///< notifications
    error    ///< something needs attention: the database cannot be reached, a task keeps failing
};

/// The level's name in lower case: `"debug"`, `"info"`, `"warning"`, `"error"`.
PERDURE_DECL std::string_view to_string(log_level level) noexcept;

/// One named particular of a message, such as `instance = checkout-17`.
struct log_field
{
    std::string_view name;
    std::string value;
};

/// Receives what the library has to say.
///
/// Called on the engine's executor, never concurrently. The message is a sentence without
/// particulars; those are in the fields, so that a structured log needs no parsing. Both are valid
/// only during the call. Exceptions that leave the function are dropped.
using logger = std::function<void(log_level, std::string_view message, std::span<const log_field>)>;

/// A logger that writes one line a message, `level message name=value …`, to standard error. Values
/// with spaces or line breaks are quoted, the breaks written as `\n`.
/// \param least the lowest level that is written.
PERDURE_DECL logger stderr_logger(log_level least = log_level::warning);

} // namespace perdure
