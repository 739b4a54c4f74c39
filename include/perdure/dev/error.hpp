// What can go wrong with a private PostgreSQL. Every error is one sentence that names the thing,
// and what to do.
#pragma once

#include <perdure/config.hpp>

#include <boost/system/error_category.hpp>
#include <boost/system/error_code.hpp>
#include <boost/system/system_error.hpp>

#include <string>
#include <type_traits>

namespace perdure::dev {

/// Why a private PostgreSQL cannot be had.
enum class errc
{
    not_installed = 1,     ///< the server's programs were not found
    no_unprivileged_user,  ///< the caller is root and there is no other user to run the server as
    unusable_directory,    ///< a directory could not be made, or cannot hold a server
    initialization_failed, ///< `initdb` failed
    start_failed,          ///< the server ended, or did not answer in time, while it was started
    stop_failed,           ///< the server did not end in time
    supervisor_failed,     ///< the process that holds the server could not be started, or is gone
    statement_failed       ///< the server refused a statement, or could not be reached
};

/// The category of `errc`, named `"perdure.dev"`.
PERDURE_DECL const boost::system::error_category& category() noexcept;

/// Makes an `errc` an `error_code`.
inline boost::system::error_code make_error_code(errc code) noexcept
{
    return {static_cast<int>(code), category()};
}

/// Thrown by everything in `perdure::dev`.
class PERDURE_DECL error : public boost::system::system_error
{
public:
    /// \param code what went wrong.
    /// \param sentence the whole message, complete with names, values and what to do.
    error(errc code, std::string sentence);

    /// The sentence, with nothing added.
    const char* what() const noexcept override { return sentence_.c_str(); }

private:
    std::string sentence_;
};

} // namespace perdure::dev

template <>
struct boost::system::is_error_code_enum<perdure::dev::errc> : std::true_type
{};
