// One session with a PostgreSQL server, for coroutines.
#pragma once

#include <perdure/config.hpp>
#include <perdure/pg/connection_options.hpp>
#include <perdure/pg/notification.hpp>
#include <perdure/pg/pipeline.hpp>
#include <perdure/pg/row_stream.hpp>
#include <perdure/pg/transaction.hpp>

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
/// Cancellation (`terminal`, or any type that the coroutine accepts) ends an operation at once with
/// `boost::asio::error::operation_aborted`. If nothing had been sent the connection is as before.
/// If something had, the connection is unusable and what was sent may still be running on the
/// server: `recover` cancels it there and makes the connection usable again, destroying or closing
/// the connection leaves it to the server to notice. A pool does the former by itself.
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
    ///   skipped. If that leaves a transaction open it is rolled back before this throws: the
    ///   connection is clean again.
    /// - errc::connection_lost, the connection broke or the server ended it (57P01 and the like,
    ///   whose words are kept): a transaction that was open is rolled back. Statements without
    ///   `begin` are a transaction that commits by itself: of them it is not known.
    /// - errc::response_timed_out, the server was silent for longer than `response_timeout`: as
    ///   connection_lost, and it may still be busy with what was sent.
    /// - errc::commit_unknown, the connection broke after the pipeline's `commit` was sent and
    ///   before its answer, or the server warned that it stopped waiting for a synchronous standby:
    ///   whether it committed must be found out on another connection. This one is unusable.
    /// - errc::closed, the connection was closed or unusable before.
    /// After a confirmed commit nothing throws: what fails later is in
    /// `pipeline_result::after_commit`. A cancellation while the commit is under way leaves its
    /// outcome as unknown as a lost connection does.
    boost::asio::awaitable<pipeline_result> run(pipeline statements);

    /// Runs one statement whose rows are read as they come, for results too large for memory; as
    /// an operation it is under way until the stream is done. Errors: as `run`, here or in
    /// `row_stream::next`.
    template <class... A>
    boost::asio::awaitable<row_stream> stream(const statement& s, const A&... arguments)
    {
        pipeline one;
        one.add(s, arguments...);
        return open_stream(std::move(one));
    }

    /// Begins a transaction of several round trips, and throws as `run` does. Throws
    /// std::logic_error when one is open already.
    boost::asio::awaitable<transaction> begin(transaction_options options = {});

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

    /// Makes it clean again after an operation was cancelled half way, or with a transaction left
    /// open: cancels what the server still does for it, over a connection of its own that is opened
    /// for that (`pg_cancel_backend`), receives and forgets the answers, rolls back, and after a
    /// cancelled operation resets the session (`discard all`). True: it is clean, and no
    /// cancellation is still on its way. False: it is closed, because COMMIT had been sent (by
    /// `pipeline::commit`, or in a statement whose first word behind comments is commit, end or
    /// prepare), a script was under way, the options say `prepared_statements(false)` (behind a
    /// pooling proxy the server process is not known), something else was odd, or it took longer
    /// than `within`. Throws nothing but `operation_aborted` when it is cancelled itself, which
    /// closes the connection.
    boost::asio::awaitable<bool> recover(
        std::chrono::steady_clock::duration within = std::chrono::seconds{5});

    /// True if `recover` may make it clean again.
    bool recoverable() const noexcept;

    /// False once it was closed or lost, an operation was cancelled half way, or the server became
    /// unfit (read-only after a failover, shutting down). Only `recover` makes an unusable
    /// connection usable again.
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
    /// 100 are kept. None with `connection_options::on_notice`, which is given them instead.
    std::vector<diagnostics> take_notices();

    /// Sets `connection_options::response_timeout` for this connection, from its next wait on; a
    /// pool restores it when the connection comes back.
    void response_timeout(std::chrono::steady_clock::duration value) noexcept;
    std::chrono::steady_clock::duration response_timeout() const noexcept;

    /// Closes it without waiting for the server; an operation under way ends with errc::closed.
    /// Idempotent.
    void close() noexcept;

private:
    friend class pool;
    friend class row_stream;
    friend class transaction;
    class session;

    explicit connection(std::shared_ptr<session> s) noexcept;
    boost::asio::awaitable<result> run_one(pipeline one);
    boost::asio::awaitable<row_stream> open_stream(pipeline one);

    std::shared_ptr<session> session_;
};

} // namespace perdure::pg
