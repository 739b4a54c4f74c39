// A result that is too large for memory, a few rows at a time.
#pragma once

#include <perdure/config.hpp>
#include <perdure/pg/result.hpp>

#include <boost/asio/awaitable.hpp>

#include <memory>

namespace perdure::pg {

class connection;
class pool;
class transaction;

/// The rows of one statement as they come; made by `connection::stream`, `transaction::stream` and
/// `pool::stream`. What was not asked for yet stays in the network: the server waits for who reads
/// slowly, and memory holds one portion. While rows are left the connection does nothing else; the
/// statement holds its snapshot and locks for that long.
///
///     pg::row_stream rows = co_await pool.stream(all_orders, since);
///     for (;;) {
///         const pg::result some = co_await rows.next();
///         if (some.empty()) break;
///         for (auto [id, cents] : some.rows<std::int64_t, std::int64_t>()) total += cents;
///     }
///
/// Destroying it before the end gives the rest up: a pool's connection goes to its janitor, another
/// one is unusable until it is recovered (`connection::recover`). A wait for rows must not outlive
/// the connection's executor; it may outlive this object.
class PERDURE_DECL row_stream
{
public:
    row_stream(row_stream&&) noexcept;
    row_stream& operator=(row_stream&&) noexcept;
    ~row_stream();

    /// The next rows: what has come, up to a thousand rows or some hundred kilobytes; waits only if
    /// nothing has. Empty: there are no more, now and from then on. Throws as `connection::run`
    /// does; after an error it is at its end, and the rows before are all valid rows of a statement
    /// that failed. Cancelled, it is given up as if it were destroyed.
    boost::asio::awaitable<result> next();

    /// True once all rows were read, or an error or a cancellation has ended it.
    bool done() const noexcept;

private:
    friend class connection;
    friend class pool;
    friend class transaction;
    class state;

    explicit row_stream(std::shared_ptr<state> s) noexcept;

    std::shared_ptr<state> state_;
};

} // namespace perdure::pg
