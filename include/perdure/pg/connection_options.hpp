// How to reach a server.
#pragma once

#include <perdure/pg/error.hpp>

#include <boost/asio/any_io_executor.hpp>

#include <algorithm>
#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <utility>

namespace perdure::pg {

/// How to reach a server and how long to try. Setters return the object, so that they chain.
class connection_options
{
public:
    connection_options() = default;

    /// Options with a connection string and all else as it is.
    explicit connection_options(std::string dsn) : dsn_{std::move(dsn)} {}

    /// A libpq connection string: a URI or `keyword=value` pairs; empty means libpq's defaults and
    /// `PG…` variables. Several hosts and `target_session_attrs=read-write` are understood. What it
    /// does not name is filled in: `application_name`, TCP keepalives after 10 s (every 5 s, three
    /// times), tcp_user_timeout 15 s; client_encoding is always UTF8. A `connect_timeout` in it has
    /// no effect: see below.
    connection_options& dsn(std::string value)
    {
        dsn_ = std::move(value);
        return *this;
    }
    const std::string& dsn() const noexcept { return dsn_; }

    /// The session's name in `pg_stat_activity` and in the server's log, unless the connection
    /// string or `PGAPPNAME` gives it one: libpq's `fallback_application_name`. Default `perdure`.
    connection_options& application_name(std::string value)
    {
        application_name_ = std::move(value);
        return *this;
    }
    const std::string& application_name() const noexcept { return application_name_; }

    /// Time for the whole of connecting: names, all hosts, TLS and authentication. Default 10 s.
    connection_options& connect_timeout(std::chrono::steady_clock::duration value)
    {
        connect_timeout_ = value;
        return *this;
    }
    std::chrono::steady_clock::duration connect_timeout() const noexcept
    {
        return connect_timeout_;
    }

    /// The session's `statement_timeout`, sent when connecting. Unset by default: the server's
    /// setting holds, and transactions set their own. A pooling proxy may refuse it.
    connection_options& statement_timeout(std::chrono::milliseconds value)
    {
        statement_timeout_ = value;
        return *this;
    }
    const std::optional<std::chrono::milliseconds>& statement_timeout() const noexcept
    {
        return statement_timeout_;
    }

    /// How long the server may be silent while an answer is due; then the connection is dropped,
    /// and who waits gets errc::response_timed_out (errc::commit_unknown if COMMIT was sent). It
    /// bounds every operation over a network that went silent, and is for that: what ends a slow
    /// statement is `statement_timeout`, on the server. So it must be longer than any statement may
    /// take until its first row. Default: 60 s, or 10 s more than `statement_timeout` if that is
    /// longer. `duration::max()`: no limit.
    connection_options& response_timeout(std::chrono::steady_clock::duration value)
    {
        response_timeout_ = value;
        return *this;
    }
    std::chrono::steady_clock::duration response_timeout() const noexcept
    {
        using namespace std::chrono_literals;
        if (response_timeout_) return *response_timeout_;
        return std::max<std::chrono::steady_clock::duration>(
            60s, statement_timeout_.value_or(0ms) + 10s);
    }

    /// Whether statements are prepared once a connection (default) or sent in full each time, as
    /// transaction-pooling proxies need it.
    connection_options& prepared_statements(bool value)
    {
        prepared_statements_ = value;
        return *this;
    }
    bool prepared_statements() const noexcept { return prepared_statements_; }

    /// Is called with each notice and warning of the server, at the end of the operation during
    /// which it came, on the connection's executor. It must not throw and not use the connection.
    /// Unset by default: they are kept for `connection::take_notices`.
    connection_options& on_notice(std::function<void(const diagnostics&)> handler)
    {
        on_notice_ = std::move(handler);
        return *this;
    }
    const std::function<void(const diagnostics&)>& on_notice() const noexcept { return on_notice_; }

    /// Where libpq's blocking calls of connecting run (name resolution, reading files, TLS). They
    /// must end before the execution context of the connection is destroyed: stop and join this
    /// executor's threads first. Unset by default: one thread for each execution context, started
    /// by its first connect and joined when it is destroyed.
    connection_options& blocking_executor(boost::asio::any_io_executor value)
    {
        blocking_executor_ = std::move(value);
        return *this;
    }
    const boost::asio::any_io_executor& blocking_executor() const noexcept
    {
        return blocking_executor_;
    }

private:
    std::string dsn_;
    std::string application_name_ = "perdure";
    std::chrono::steady_clock::duration connect_timeout_ = std::chrono::seconds{10};
    std::optional<std::chrono::milliseconds> statement_timeout_;
    std::optional<std::chrono::steady_clock::duration> response_timeout_;
    bool prepared_statements_ = true;
    std::function<void(const diagnostics&)> on_notice_;
    boost::asio::any_io_executor blocking_executor_;
};

} // namespace perdure::pg
