// The engine: what a process's workers and clients share. Its connections, the listener that hears
// notifications, the wake hub, the logger, and the defaults.
#pragma once

#include <perdure/config.hpp>
#include <perdure/engine/logger.hpp>
#include <perdure/workflow/defaults.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/io_context.hpp>

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

namespace perdure {

class engine_core;

/// How a process hears of work, and tells others of it. PostgreSQL's NOTIFY takes one lock of the
/// whole cluster from before the commit of a transaction until that is on the disk, so a
/// transaction that notifies waits for all others that do.
enum class notification_mode
{
    /// A notification is a transaction of its own, sent behind the commit that it is about, in the
    /// same round trip; from each process two in quick succession, then one every 2 ms, or
    /// fewer while its commits wait for each other. What is committed in between is announced
    /// together, along with the next commit or by itself. Nothing waits for the lock.
    coalesced,
    /// A notification is part of the transaction that it is about: everybody who hears of a commit
    /// hears of it even if the process that made it is killed in the same moment. With many
    /// transactions at a time each waits for the others' disk writes.
    transactional,
    /// The process neither listens nor notifies: it polls, and so must all others.
    none
};

/// How an engine is set up. Every setting has a default that suits a service; setters return
/// `*this`.
class PERDURE_DECL engine_options
{
public:
    /// The PostgreSQL schema that holds this installation's tables, at most 63 bytes. Default:
    /// `perdure`. Several installations share a database under different schemas.
    engine_options& schema(std::string name);
    /// At most how many connections the pool opens, the listener's own not counted. Default: 10.
    engine_options& pool_size(std::size_t connections);
    /// How long an operation waits for a free connection before it fails with
    /// `pg::errc::pool_timed_out`. Default: 5 s.
    engine_options& pool_timeout(std::chrono::milliseconds timeout);
    /// How long one attempt to connect may take. Default: 5 s.
    engine_options& connect_timeout(std::chrono::milliseconds timeout);
    /// How long the server may be silent while an answer is due, before the connection is given up
    /// and the operation fails or is tried on another: bounds what a network costs that drops
    /// everything. Must be longer than any statement takes, which is at most 30 s. Default: 60 s.
    engine_options& response_timeout(std::chrono::milliseconds timeout);
    /// A connection string of its own for the listener, to the same database, for when the other
    /// one leads through a proxy that pools transactions (LISTEN needs a session). Default: the
    /// engine's. The listener's session has the application_name `perdure listener`, unless its
    /// string or `PGAPPNAME` gives it one.
    engine_options& listener_dsn(std::string dsn);
    /// How others are told of work, and whether this process listens. Default: coalesced.
    engine_options& notifications(notification_mode mode);
    /// How often pollers and waiting clients look while notifications are off or the listener is
    /// down. Default: 500 ms.
    engine_options& poll_interval(std::chrono::milliseconds interval);
    /// How often the listener's session checks that it is alive and that no notification was lost;
    /// each time is jittered by a third upwards. Default: 30 s.
    engine_options& safety_poll(std::chrono::milliseconds interval);
    /// Whether statements are prepared; off for proxies that pool transactions. Default: on.
    engine_options& prepared_statements(bool on);
    /// Receives everything the library has to say. Default: `stderr_logger(log_level::warning)`.
    engine_options& log(logger receiver);

    const std::string& schema() const noexcept { return schema_; }
    std::size_t pool_size() const noexcept { return pool_size_; }
    std::chrono::milliseconds pool_timeout() const noexcept { return pool_timeout_; }
    std::chrono::milliseconds connect_timeout() const noexcept { return connect_timeout_; }
    std::chrono::milliseconds response_timeout() const noexcept { return response_timeout_; }
    const std::string& listener_dsn() const noexcept { return listener_dsn_; }
    notification_mode notifications() const noexcept { return notifications_; }
    std::chrono::milliseconds poll_interval() const noexcept { return poll_interval_; }
    std::chrono::milliseconds safety_poll() const noexcept { return safety_poll_; }
    bool prepared_statements() const noexcept { return prepared_statements_; }
    const logger& log() const noexcept { return log_; }

private:
    std::string schema_ = "perdure";
    std::size_t pool_size_ = 10;
    std::chrono::milliseconds pool_timeout_{5000};
    std::chrono::milliseconds connect_timeout_{5000};
    std::chrono::milliseconds response_timeout_{60'000};
    std::string listener_dsn_;
    notification_mode notifications_ = notification_mode::coalesced;
    std::chrono::milliseconds poll_interval_{500};
    std::chrono::milliseconds safety_poll_{30'000};
    bool prepared_statements_ = true;
    logger log_ = stderr_logger();
};

/// What workers and clients of one process stand on.
///
/// Constructing an engine does no I/O and cannot fail for reasons of the database: connections are
/// made when they are first needed, and the operation that needed them reports what is wrong with
/// the connection string, the server or the schema.
///
/// Thread safety: an engine, its workers and its clients belong to one executor that runs one
/// handler at a time: an `io_context` run by one thread, or a strand. Call them from handlers and
/// coroutines of that executor only. An `io_context` or `thread_pool` whose handlers keep changing
/// threads is reported to the logger.
///
/// Lifetime: the engine must be destroyed before the execution context is. Workers, clients and
/// their coroutines may be destroyed before or after the engine; once it is destroyed their
/// operations fail.
///
/// An engine keeps its execution context busy only while a worker runs or a client that has awaited
/// a result exists; `io_context::run()` returns once the last of them has gone.
///
/// Threads: one, for the calls of libpq that cannot be made without blocking (name resolution and
/// connecting).
class PERDURE_DECL engine
{
public:
    /// \param context the execution context to run on, by one thread.
    /// \param dsn a libpq connection string or URI
    ///     (https://www.postgresql.org/docs/15/libpq-connect.html). Several hosts are tried in order.
    /// \throws error `errc::invalid_argument`: a pool without connections, or an interval that is
    ///     not positive.
    /// \throws pg::error `pg::errc::bad_value`: the schema's name cannot be one.
    engine(boost::asio::io_context& context, std::string dsn, engine_options options = {});
    /// As above, on any executor that runs one handler at a time.
    engine(boost::asio::any_io_executor executor, std::string dsn, engine_options options = {});
    engine(const engine&) = delete;
    engine& operator=(const engine&) = delete;
    /// Closes all connections and joins the engine's thread.
    ~engine();

    boost::asio::any_io_executor get_executor() const noexcept;
    const engine_options& options() const noexcept;

    /// What workers, clients and tools of this library build on; not for users.
    const std::shared_ptr<engine_core>& core() const noexcept { return core_; }

private:
    std::shared_ptr<engine_core> core_;
};

} // namespace perdure
