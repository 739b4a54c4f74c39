// A failure as it is recorded: what an exception becomes when it has to outlive its process.
#pragma once

#include <perdure/config.hpp>
#include <perdure/workflow/payload.hpp>

#include <exception>
#include <memory>
#include <string>

namespace perdure {

/// What is known of a failure, and of the failure that caused it.
struct failure_info
{
    std::string type;      ///< a declared failure's durable name, else the exception's type
    std::string message;   ///< for people
    payload details;       ///< a declared failure's fields; empty when it has none
    bool retryable = true; ///< whether an activity that failed like this may be tried again
    std::shared_ptr<const failure_info> cause; ///< what led to it; null: nothing that is known
};

/// Equal when all fields are, and all causes.
PERDURE_DECL bool operator==(const failure_info&, const failure_info&);

/// The failure and its causes as one sentence: `activity charge failed: card-declined: over the
/// limit`.
PERDURE_DECL std::string describe(const failure_info&);

/// The failure document: a JSON object with `type`, `message`, and where there are any `details`,
/// `retryable` (only when false) and `cause`.
PERDURE_DECL payload encode_failure(const failure_info&);

/// Reads a failure document.
/// \throws error errc::malformed_payload when it is none. Unknown fields are ignored.
PERDURE_DECL failure_info decode_failure(const payload&);

/// Describes the exception that a user's function let out.
///
/// A \ref failed (and so every declared failure) is described by its own info. Of any other
/// exception derived from std::exception the demangled type, `what()` and, for
/// std::nested_exception, the causes are kept. Such a failure is retryable. Never throws: when
/// memory runs out, the description is shorter.
PERDURE_DECL failure_info describe_exception(std::exception_ptr) noexcept;

} // namespace perdure
