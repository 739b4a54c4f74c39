// Several round trips that happen together or not at all.
#pragma once

#include <perdure/config.hpp>
#include <perdure/pg/pipeline.hpp>
#include <perdure/pg/row_stream.hpp>

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <utility>

namespace perdure::pg {

class connection;
class pool;

/// What a transaction sees of others, as in chapter 13.2 of the PostgreSQL manual.
enum class isolation
{
    read_committed,
    repeatable_read,
    serializable,
};

/// Whether a transaction may write.
enum class access
{
    read_write,
    read_only,
};

/// How a transaction begins. All of it ends with the transaction. Setters return the object, so
/// that they chain.
class transaction_options
{
public:
    transaction_options() = default;

    /// Default read_committed, whatever the server's default is.
    transaction_options& isolation(pg::isolation value)
    {
        isolation_ = value;
        return *this;
    }
    pg::isolation isolation() const noexcept { return isolation_; }

    /// Default read_write.
    transaction_options& access(pg::access value)
    {
        access_ = value;
        return *this;
    }
    pg::access access() const noexcept { return access_; }

    /// How long each statement may take on the server; then it fails with SQLSTATE 57014. Unset: as
    /// the session has it. Zero: no limit.
    transaction_options& statement_timeout(std::chrono::milliseconds value)
    {
        statement_timeout_ = value;
        return *this;
    }
    const std::optional<std::chrono::milliseconds>& statement_timeout() const noexcept
    {
        return statement_timeout_;
    }

    /// How long each statement may wait for a lock; then it fails with SQLSTATE 55P03. Unset: as
    /// the session has it. Zero: no limit.
    transaction_options& lock_timeout(std::chrono::milliseconds value)
    {
        lock_timeout_ = value;
        return *this;
    }
    const std::optional<std::chrono::milliseconds>& lock_timeout() const noexcept
    {
        return lock_timeout_;
    }

    /// How often `pool::transaction` runs its function at most, when the server ends the
    /// transaction with a serialization failure (40001) or a deadlock (40P01). Default 1: it does
    /// not repeat.
    transaction_options& attempts(int value)
    {
        attempts_ = value;
        return *this;
    }
    int attempts() const noexcept { return attempts_; }

private:
    pg::isolation isolation_ = pg::isolation::read_committed;
    pg::access access_ = pg::access::read_write;
    std::optional<std::chrono::milliseconds> statement_timeout_;
    std::optional<std::chrono::milliseconds> lock_timeout_;
    int attempts_ = 1;
};

/// An open transaction; made by `pool::begin`, `pool::transaction` and `connection::begin`. One
/// operation at a time.
///
/// An error of a statement ends it: it is rolled back before the error is thrown, and whatever is
/// asked of it then throws `error` with errc::closed. Destroyed without `commit` it is rolled back,
/// too: a pool's connection by the pool's janitor; that of `connection::begin` is left in the
/// transaction until `connection::recover`.
class PERDURE_DECL transaction
{
public:
    transaction(transaction&&) noexcept;
    transaction& operator=(transaction&&) noexcept;
    ~transaction();

    /// Runs one statement. Throws as `connection::run` does.
    template <class... A>
    boost::asio::awaitable<result> execute(const statement& s, const A&... arguments)
    {
        pipeline one;
        one.add(s, arguments...);
        return run_one(state_, std::move(one));
    }

    /// Runs statements in one round trip. Throws as `connection::run` does. With a `commit` among
    /// them it ends the transaction as `commit` does, and saves a round trip.
    boost::asio::awaitable<pipeline_result> run(pipeline statements);

    /// Runs one statement whose rows are read as they come. Throws as `connection::run` does. Until
    /// the stream is done nothing else can be asked.
    template <class... A>
    boost::asio::awaitable<row_stream> stream(const statement& s, const A&... arguments)
    {
        pipeline one;
        one.add(s, arguments...);
        return open_stream(state_, std::move(one));
    }

    /// Commits. Throws `error`: errc::server_error, it was rolled back (a deferred constraint, a
    /// serialization failure); errc::connection_lost, it was rolled back; errc::commit_unknown, see
    /// `connection::run`; errc::closed, it has ended before. A cancellation leaves the outcome
    /// unknown.
    boost::asio::awaitable<void> commit();

    /// Rolls back; nothing if it has ended. Throws errc::connection_lost or
    /// errc::response_timed_out; it is rolled back then, too.
    boost::asio::awaitable<void> rollback();

    /// True until it was committed or rolled back or its connection was lost.
    bool open() const noexcept;

private:
    friend class connection;
    friend class pool;
    class state;

    explicit transaction(std::shared_ptr<state> s) noexcept;
    static boost::asio::awaitable<pipeline_result> run_all(
        std::shared_ptr<state> self, pipeline statements);
    static boost::asio::awaitable<result> run_one(std::shared_ptr<state> self, pipeline one);
    static boost::asio::awaitable<row_stream> open_stream(
        std::shared_ptr<state> self, pipeline one);
    static boost::asio::awaitable<void> roll_back(std::shared_ptr<state> self);
    boost::asio::awaitable<void> commit_unless_rolled_back();

    std::shared_ptr<state> state_;
};

} // namespace perdure::pg
