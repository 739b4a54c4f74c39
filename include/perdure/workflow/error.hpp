// The errors of durable workflows: one code for each kind, one exception that carries it.
#pragma once

#include <perdure/config.hpp>

#include <boost/system/error_category.hpp>
#include <boost/system/error_code.hpp>
#include <boost/system/system_error.hpp>

#include <stdexcept>
#include <string>
#include <type_traits>

namespace perdure {

/// What went wrong. The category is named "perdure".
enum class errc
{
    already_exists = 1,  ///< an active instance has this id
    not_found,           ///< there is no active instance of this id
    not_finished,        ///< the instance is still active
    lease_lost,          ///< the task belongs to another worker now; nothing was changed
    invalid_argument,    ///< an id, name or option is not what it must be
    payload_too_large,   ///< a payload is over its limit
    malformed_payload,   ///< a payload is not JSON, or not of the type it is decoded to
    nondeterminism,      ///< the workflow's code no longer does what its history says it did
    history_too_large,   ///< a run's history is over its limit
    unknown_workflow,    ///< no such workflow is implemented here
    unknown_activity,    ///< no such activity is implemented here
    workflow_failed,     ///< the instance finished with a failure
    activity_failed,     ///< the activity's last attempt failed
    application_failure, ///< a failure that user code declared or let out
    cancelled,           ///< it was cancelled
    timed_out,           ///< its time ran out
    closed,              ///< the engine, worker or client was closed
    activation_too_long  ///< a workflow's code never waits for anything
};

/// The category of \ref errc.
PERDURE_DECL const boost::system::error_category& error_category() noexcept;

/// An error code of \ref error_category.
PERDURE_DECL boost::system::error_code make_error_code(errc) noexcept;

/** The exception of the library. `code()` is its kind, `what()` one sentence that names the thing
 * and says what to do; unlike in its base the sentence is not followed by the category's own words.
 */
class PERDURE_DECL error : public boost::system::system_error
{
public:
    /// An error of this kind with this sentence.
    error(errc kind, const std::string& sentence);

    /// The sentence; valid as long as the exception.
    const char* what() const noexcept override;

    /// The kind, as the enumeration.
    errc kind() const noexcept { return static_cast<errc>(code().value()); }

private:
    std::runtime_error
        sentence_; // a string whose copies never throw, as copies of exceptions must not
};

} // namespace perdure

namespace boost::system {

template <>
struct is_error_code_enum<perdure::errc> : std::true_type
{};

} // namespace boost::system
