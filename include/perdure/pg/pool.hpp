// A bounded set of connections that coroutines share.
#pragma once

#include <perdure/config.hpp>
#include <perdure/pg/connection.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

namespace perdure::pg {

/// How large a pool is and how long it lets wait. Setters return the object, so that they chain.
class pool_options
{
public:
    pool_options() = default;

    /// Options with these connections and all else as it is.
    explicit pool_options(connection_options value) : connection_{std::move(value)} {}

    /// How each connection is made.
    pool_options& connection(connection_options value)
    {
        connection_ = std::move(value);
        return *this;
    }
    const connection_options& connection() const noexcept { return connection_; }

    /// Most connections at a time, at least 1; a pool reserves memory for a list of as many.
    /// Default 8.
    pool_options& size(std::size_t value)
    {
        size_ = value == 0 ? 1 : value;
        return *this;
    }
    std::size_t size() const noexcept { return size_; }

    /// How long `acquire` waits for a connection to become free; connecting has its own time limit.
    /// Default 5 s.
    pool_options& acquire_timeout(std::chrono::steady_clock::duration value)
    {
        acquire_timeout_ = value;
        return *this;
    }
    std::chrono::steady_clock::duration acquire_timeout() const noexcept
    {
        return acquire_timeout_;
    }

    /// How many of the connections are kept for users of pool_priority::critical; all but one at
    /// most. Default 0.
    pool_options& reserve(std::size_t value)
    {
        reserve_ = value;
        return *this;
    }
    std::size_t reserve() const noexcept { return reserve_; }

    /// How long the janitor may take to make a connection clean again that came back with an
    /// operation cancelled half way or a transaction left open; then it is dropped. Zero: such a
    /// connection is dropped at once, as is one that a critical user gave up. Default 5 s.
    pool_options& janitor_timeout(std::chrono::steady_clock::duration value)
    {
        janitor_timeout_ = value;
        return *this;
    }
    std::chrono::steady_clock::duration janitor_timeout() const noexcept
    {
        return janitor_timeout_;
    }

private:
    connection_options connection_;
    std::size_t size_ = 8;
    std::size_t reserve_ = 0;
    std::chrono::steady_clock::duration acquire_timeout_ = std::chrono::seconds{5};
    std::chrono::steady_clock::duration janitor_timeout_ = std::chrono::seconds{5};
};

/// Who is served first when connections are scarce.
enum class pool_priority
{
    normal,   ///< In the order of coming; never takes what `pool_options::reserve` keeps.
    critical, ///< Before all others, and with the reserve: short work that must not wait for them,
              ///< nor for the janitor: a connection that is not clean then is dropped.
};

/// What a pool has at this moment.
struct pool_statistics
{
    std::size_t size = 0;     ///< Connections that exist or are being made.
    std::size_t idle = 0;     ///< Those of them that nobody uses.
    std::size_t cleaning = 0; ///< Those of them that the janitor has.
    std::size_t waiting = 0;  ///< Coroutines that wait for one.
};

namespace detail {

class pool_state;

#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ < 13
inline constexpr bool compiler_is_gcc12 = true;
#else
inline constexpr bool compiler_is_gcc12 = false;
#endif

} // namespace detail

/// A connection lent by a pool; goes back when this is destroyed. One that is not clean then is
/// never lent as it is: left in a transaction, or with an operation cancelled half way, it goes to
/// the pool's janitor; lost, or lent to a critical user, it is dropped. May outlive the pool.
class PERDURE_DECL pooled_connection
{
public:
    pooled_connection(
        std::shared_ptr<detail::pool_state> pool, pg::connection lent,
        pool_priority priority) noexcept;
    pooled_connection(pooled_connection&&) noexcept;
    pooled_connection& operator=(pooled_connection&&) noexcept;
    ~pooled_connection();

    connection* operator->() noexcept { return &*connection_; }
    connection& operator*() noexcept { return *connection_; }

    /// Gives the connection back now; this object is empty afterwards.
    void release() noexcept;

private:
    std::shared_ptr<detail::pool_state> pool_;
    std::optional<connection> connection_;
    pool_priority priority_;
};

/// Connections to one server, made when they are needed. Everything runs on the pool's executor,
/// which must not run handlers in parallel. Idle connections leave nothing pending there.
/// Destroying the pool closes it; coroutines that wait in it end with errc::closed.
///
/// The janitor does for a connection what `connection::recover` says: it cancels what an operation
/// that was cancelled here left running on the server, over a further connection that lives as long
/// as that takes, and cleans up. Until then the connection counts as lent. One on which COMMIT was
/// sent, or that a critical user had, is dropped instead.
class PERDURE_DECL pool
{
public:
    pool(boost::asio::any_io_executor executor, pool_options options);
    pool(const pool&) = delete;
    pool& operator=(const pool&) = delete;
    ~pool();

    /// Lends a connection: an idle one (replaced silently if the server ended it meanwhile), a new
    /// one, or, when all are lent, the next that comes back, first come first served. Throws
    /// `error` with errc::pool_timed_out, which says how many are lent and how the last attempt to
    /// connect failed; errc::closed; or what `connection::connect` throws, to the caller for whom
    /// it was tried. A cancelled wait takes no connection.
    boost::asio::awaitable<pooled_connection> acquire(
        pool_priority priority = pool_priority::normal);

    /// Runs a pipeline on a connection of its own. Throws as `acquire` and `connection::run` do.
    boost::asio::awaitable<pipeline_result> run(
        pipeline statements, pool_priority priority = pool_priority::normal);

    /// Runs one statement on a connection of its own. Throws as `acquire` and `connection::execute`
    /// do.
    template <class... A>
    boost::asio::awaitable<result> execute(const statement& s, const A&... arguments)
    {
        pipeline one;
        one.add(s, arguments...);
        return run_one(state_, std::move(one));
    }

    /// Runs one statement on a connection of its own and reads its rows as they come; the
    /// connection goes back when the stream is done or destroyed. Throws as `acquire` and
    /// `connection::stream` do.
    template <class... A>
    boost::asio::awaitable<row_stream> stream(const statement& s, const A&... arguments)
    {
        pipeline one;
        one.add(s, arguments...);
        return open_stream(state_, std::move(one));
    }

    /// Begins a transaction on a connection of its own, which goes back when the transaction has
    /// ended. Throws as `acquire` and `connection::begin` do.
    boost::asio::awaitable<pg::transaction> begin(
        transaction_options options = {}, pool_priority priority = pool_priority::normal);

    /// Runs `work`, a coroutine function `awaitable<T>(pg::transaction&)`, in a transaction:
    /// commits when it has returned, unless it rolled back, and returns what it returned; rolls
    /// back when it throws. Throws what it threw, and as `begin` and `pg::transaction::commit` do.
    /// With `transaction_options::attempts` it runs `work` again, in a new transaction, when the
    /// server ended one with a serialization failure or a deadlock: `work` must bear that. It must
    /// neither commit nor move the transaction away: that ends with errc::closed.
    /// `work` is kept until it is finished, so it may have captures; give a closure with captures a
    /// name where GCC 12 is to compile it (a sentence of the compiler reminds of it).
    template <class F>
    std::invoke_result_t<std::decay_t<F>&, pg::transaction&> transaction(
        F&& work, transaction_options options = {}, pool_priority priority = pool_priority::normal)
    {
        static_assert(
            !detail::compiler_is_gcc12 || std::is_lvalue_reference_v<F> ||
                std::is_trivially_destructible_v<F>,
            "perdure: GCC 12 destroys a temporary closure with captures beside co_await twice; "
            "give it a name and pass the named object");
        return run_transaction<std::decay_t<F>>(state_, options, priority, std::forward<F>(work));
    }

    /// Closes the idle connections and those the janitor has, and ends the waits with errc::closed;
    /// lent connections are closed when they come back. Idempotent.
    void close() noexcept;

    /// What it has at this moment.
    pool_statistics statistics() const noexcept;

    /// `statistics().size`
    std::size_t size() const noexcept { return statistics().size; }

    /// `statistics().idle`
    std::size_t idle() const noexcept { return statistics().idle; }

    boost::asio::any_io_executor get_executor() const noexcept;

private:
    static boost::asio::awaitable<pipeline_result> run_pipeline(
        std::shared_ptr<detail::pool_state> state, pipeline statements, pool_priority priority);
    static boost::asio::awaitable<result> run_one(
        std::shared_ptr<detail::pool_state> state, pipeline one);
    static boost::asio::awaitable<row_stream> open_stream(
        std::shared_ptr<detail::pool_state> state, pipeline one);
    static boost::asio::awaitable<pg::transaction> begin_on(
        std::shared_ptr<detail::pool_state> state, transaction_options options,
        pool_priority priority);
    static bool worth_repeating(const error& e) noexcept;

    template <class F>
    static std::invoke_result_t<F&, pg::transaction&> run_transaction(
        std::shared_ptr<detail::pool_state> state, transaction_options options,
        pool_priority priority, F work);

    std::shared_ptr<detail::pool_state> state_;
};

template <class F>
std::invoke_result_t<F&, pg::transaction&> pool::run_transaction(
    std::shared_ptr<detail::pool_state> state, transaction_options options, pool_priority priority,
    F work)
{
    using value = typename std::invoke_result_t<F&, pg::transaction&>::value_type;
    for (int attempt = 1;; ++attempt) {
        try {
            pg::transaction open = co_await begin_on(state, options, priority);
            if constexpr (std::is_void_v<value>) {
                co_await work(open);
                co_await open.commit_unless_rolled_back();
                co_return;
            } else {
                value made = co_await work(open);
                co_await open.commit_unless_rolled_back();
                co_return made;
            }
        } catch (const error& e) {
            if (attempt >= options.attempts() || !worth_repeating(e)) throw;
        }
    }
}

} // namespace perdure::pg
