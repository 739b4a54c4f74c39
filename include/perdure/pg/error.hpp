// Errors of the PostgreSQL layer: one category of codes, and one exception that carries the
// server's own words.
#pragma once

#include <perdure/config.hpp>

#include <boost/system/error_code.hpp>
#include <boost/system/system_error.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace perdure::pg {

/// What went wrong, by what the caller can do about it. Zero is no error.
enum class errc
{
    connect_failed = 1, ///< No connection could be made; the text says why. Nothing was sent.
    connect_timed_out,  ///< No connection within `connection_options::connect_timeout`.
    connection_lost,    ///< The connection broke; a transaction that was open is rolled back.
    commit_unknown, ///< The connection broke, or the server warned, between COMMIT and its answer.
    server_error,   ///< The server refused a statement; see `error::diagnostics`.
    pool_timed_out, ///< No pooled connection became free in time; the text says why.
    closed,         ///< The connection or the pool was closed by this process.
    unsupported_server, ///< The server is older than PostgreSQL 15.
    bad_value,          ///< A value does not have the type, range or form that was asked for.
    schema_missing,     ///< The schema is not there, or lacks migrations that this library needs.
    schema_too_new,     ///< The schema needs a newer version of this library.
    migration_changed,  ///< A migration file differs from what was applied under its number.
    migration_busy,     ///< Another process held the migration lock until the deadline.
    notifications_blocked, ///< A NOTIFY to the own session did not come back, as through a pooling
                           ///< proxy.
    response_timed_out,    ///< An answer was due and the server was silent for longer than
                           ///< `connection_options::response_timeout`; the connection was dropped.
};

/// The category of `errc`, named "perdure.pg".
PERDURE_DECL const boost::system::error_category& category() noexcept;

/// Makes `errc` usable wherever an `error_code` is.
PERDURE_DECL boost::system::error_code make_error_code(errc) noexcept;

/// What the server said about an error or a notice, field by field. All empty when it said nothing.
struct diagnostics
{
    std::string severity; ///< ERROR, FATAL, WARNING …, never translated.
    std::string sqlstate; ///< Five characters, as in appendix A of the PostgreSQL manual.
    std::string message;  ///< The primary message.
    std::string detail;   ///< DETAIL, or empty.
    std::string hint;     ///< HINT, or empty.
    std::string where;    ///< CONTEXT, or empty.
    /// Character of the statement's text that the message is about, from 1; 0: none.
    std::int32_t position = 0;
    /// Index of the failed statement in its pipeline; -1: none.
    std::int32_t statement = -1;
};

/// The exception of this layer. `code()` holds the `errc`, `what()` one sentence for people; for a
/// server error that sentence contains the server's message, SQLSTATE, detail and hint.
/// Cancellation is not one of these: a cancelled operation throws `boost::system::system_error`
/// with `boost::asio::error::operation_aborted`.
class PERDURE_DECL error : public boost::system::system_error
{
public:
    /// `what` is kept as it is.
    error(errc code, std::string what, pg::diagnostics diagnostics = {});

    /// One sentence for people.
    const char* what() const noexcept override;

    /// The server's words; empty fields when the server did not speak.
    const pg::diagnostics& diagnostics() const noexcept;

    /// The SQLSTATE, or an empty text when the server did not speak.
    std::string_view sqlstate() const noexcept;

    /// True if the SQLSTATE begins with these two characters: `in_class("40")` is a serialization
    /// failure or a deadlock.
    bool in_class(std::string_view two_characters) const noexcept;

private:
    struct particulars;
    std::shared_ptr<const particulars> particulars_; // shared: copying an exception must not throw
};

/// The sentence for a server error: message, SQLSTATE, detail, hint; if it is known, the remedy.
PERDURE_DECL std::string describe(const diagnostics&);

} // namespace perdure::pg

template <>
struct boost::system::is_error_code_enum<perdure::pg::errc> : std::true_type
{};
