// One session with a PostgreSQL server, for coroutines.
#pragma once

#include <perdure/config.hpp>
#include <perdure/pg/connection_options.hpp>
#include <perdure/pg/notification.hpp>
#include <perdure/pg/pipeline.hpp>

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace perdure::pg {

/// One session; one that was moved from is closed. One operation at a time; starting a second while
/// one is under way throws std::logic_error. All of it runs on the executor of the coroutine that
/// connected, which must not run handlers in parallel (one thread, or a strand). While no operation
/// is under way nothing is pending on the executor. An operation keeps what it needs alive: the
/// connection may be destroyed while one is suspended, which ends it with errc::closed.
///
/// Cancellation (`terminal`, or any type that the coroutine accepts) ends an operation with
/// `boost::asio::error::operation_aborted`. If something had been sent the connection is unusable
/// from then on, since its state on the server is unknown; if nothing had, it is as before.
class PERDURE_DECL connection
{
public:
    /// Connects. Never blocks the executor: names, TLS and authentication run elsewhere, see
    /// `connection_options::blocking_executor`. Throws `error` with errc::connect_failed (the
    /// server's or libpq's words in it), errc::connect_timed_out, or errc::unsupported_server for a
    /// server older than PostgreSQL 15.
    static boost::asio::awaitable<connection> connect(connection_options options);

    connection(connection&&) noexcept;
    connection& operator=(connection&&) noexcept;

    /// Closes it, without waiting for the server.
    ~connection();

    /// Runs one statement. Errors: as `run`.
    template <class... A>
    boost::asio::awaitable<result> execute(const statement& s, const A&... arguments)
    {
        pipeline one;
        one.add(s, arguments...);
        return run_one(std::move(one));
    }

    /// Runs the statements of a pipeline in one round trip. Throws `error`:
    /// - errc::server_error, a statement failed: the first one's words; those behind it were
    /// skipped. If that leaves a
    ///   transaction open it is rolled back before this throws: the connection is clean again.
    /// - errc::connection_lost, the connection broke or the server ended it (57P01 and the like,
    /// whose words are kept):
    ///   nothing was committed.
    /// - errc::commit_unknown, the connection broke after the pipeline's `commit` was sent and
    /// before its answer, or
    ///   the server warned that it stopped waiting for a synchronous standby: whether it committed
    ///   must be found out on another connection. This one is unusable.
    /// - errc::closed, the connection was closed or unusable before.
    /// After a confirmed commit nothing throws: what fails later is in
    /// `pipeline_result::after_commit`. A cancellation while the commit is under way leaves its
    /// outcome as unknown as a lost connection does.
    boost::asio::awaitable<pipeline_result> run(pipeline statements);

    /// Runs a script of any number of statements without parameters, `begin` and `commit` included,
    /// and discards their rows. It stops at the first error, which is thrown as `run` does, with
    /// the line it is about; a transaction that is open then is rolled back. A `commit` in it is
    /// not watched over as a pipeline's is.
    boost::asio::awaitable<void> execute_script(std::string sql);

    /// Waits until a notification is there or `deadline` is reached, and returns all that are
    /// there: none at the deadline. Notifications that arrived during other operations are kept for
    /// it. Throws `error` with errc::connection_lost or errc::closed. Cancellation leaves the
    /// connection usable.
    boost::asio::awaitable<std::vector<notification>> wait_notifications(
        std::chrono::steady_clock::time_point deadline);

    /// False once it was closed or lost, an operation was cancelled half way, or the server became
    /// unfit (read-only after a failover, shutting down). An unusable connection never becomes
    /// usable again.
    bool usable() const noexcept;

    /// True if it is usable, no operation is under way and no transaction is open: fit for the next
    /// user.
    bool clean() const noexcept;

    /// True if it is clean and, as far as can be told without waiting, the server has not ended it
    /// meanwhile.
    bool check_idle();

    /// The server process of this session; 0 once closed.
    int backend_pid() const noexcept;

    /// The server's version as a number: 150004 is 15.4; 0 once closed.
    int server_version() const noexcept;

    /// The notices and warnings of the server that came since the last call, oldest first; at most
    /// 100 are kept.
    std::vector<diagnostics> take_notices();

    /// Closes it without waiting for the server; an operation under way ends with errc::closed.
    /// Idempotent.
    void close() noexcept;

private:
    class session;

    explicit connection(std::shared_ptr<session> s) noexcept;
    boost::asio::awaitable<result> run_one(pipeline one);

    std::shared_ptr<session> session_;
};

} // namespace perdure::pg
