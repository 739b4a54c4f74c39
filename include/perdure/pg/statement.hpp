// One SQL statement, which each connection prepares when it first meets it.
#pragma once

#include <perdure/config.hpp>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace perdure::pg {

/// One SQL statement with parameters `$1`, `$2` … Make it once and keep it (a static constant, a
/// member): its name is derived from its text, so that equal texts share one prepared statement of
/// a connection. A connection keeps up to 1,000 prepared statements; what comes later is sent
/// unprepared. Copies share the text.
class PERDURE_DECL statement
{
public:
    /// `sql` is one statement, without a semicolon; nothing is checked before it reaches a server.
    explicit statement(std::string sql);

    /// The text.
    std::string_view sql() const noexcept { return data_->sql; }

    /// The name it is prepared under, apart from a suffix for the types of its arguments.
    std::string_view name() const noexcept { return data_->name; }

    /// The number of the highest `$n` in the text, quoted ones and comments included: it takes no
    /// more arguments than that.
    std::size_t highest_parameter() const noexcept { return data_->highest_parameter; }

private:
    struct data
    {
        std::size_t highest_parameter = 0;
        std::string sql;
        std::string name;
    };
    std::shared_ptr<const data> data_;
};

} // namespace perdure::pg
