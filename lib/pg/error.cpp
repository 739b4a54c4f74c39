#include <perdure/pg/error.hpp>

#include <utility>

namespace perdure::pg {

namespace {

class category_type final : public boost::system::error_category
{
public:
    const char* name() const noexcept override { return "perdure.pg"; }

    std::string message(int value) const override
    {
        switch (static_cast<errc>(value)) {
        case errc::connect_failed: return "no connection to the server";
        case errc::connect_timed_out: return "the server did not answer in time";
        case errc::connection_lost: return "the connection was lost";
        case errc::commit_unknown: return "it is not known whether the transaction was committed";
        case errc::server_error: return "the server refused a statement";
        case errc::pool_timed_out: return "no connection of the pool became free in time";
        case errc::closed: return "closed";
        case errc::unsupported_server: return "the server is too old";
        case errc::bad_value: return "a value does not have the type, range or form that is needed";
        case errc::schema_missing: return "the schema is not there or not complete";
        case errc::schema_too_new: return "the schema needs a newer version of this library";
        case errc::migration_changed: return "a migration file was changed after it was applied";
        case errc::migration_busy: return "another process is migrating the schema";
        case errc::notifications_blocked: return "notifications do not arrive";
        case errc::response_timed_out: return "the server fell silent";
        }
        return "unknown error " + std::to_string(value);
    }
};

} // namespace

const boost::system::error_category& category() noexcept
{
    static const category_type instance;
    return instance;
}

boost::system::error_code make_error_code(errc code) noexcept
{
    return {static_cast<int>(code), category()};
}

struct PERDURE_LOCAL error::particulars
{
    std::string what;
    pg::diagnostics diagnostics;
};

error::error(errc code, std::string what, pg::diagnostics diagnostics)
    : system_error{make_error_code(code)},
      particulars_{
          std::make_shared<const particulars>(particulars{std::move(what), std::move(diagnostics)})}
{}

const char* error::what() const noexcept
{
    return particulars_->what.c_str();
}

const diagnostics& error::diagnostics() const noexcept
{
    return particulars_->diagnostics;
}

std::string_view error::sqlstate() const noexcept
{
    return particulars_->diagnostics.sqlstate;
}

bool error::in_class(std::string_view two_characters) const noexcept
{
    return two_characters.size() == 2 && sqlstate().starts_with(two_characters);
}

std::string describe(const diagnostics& d)
{
    std::string text = d.message;
    if (!d.sqlstate.empty()) text += " [" + d.sqlstate + "]";
    if (!d.detail.empty()) text += "; detail: " + d.detail;
    if (!d.hint.empty()) text += "; hint: " + d.hint;
    // The server's session was another client's before, or is not the one that prepared it.
    if (d.sqlstate == "42P05" || d.sqlstate == "26000")
        text += "; behind a proxy that pools transactions switch prepared statements off";
    return text;
}

} // namespace perdure::pg
