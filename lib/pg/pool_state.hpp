// The inside of a pool, shared by the pool, its lent connections and the coroutines that wait in
// it.
#pragma once

#include <perdure/pg/pool.hpp>

#include <boost/asio/steady_timer.hpp>

#include <deque>
#include <memory>
#include <string>
#include <vector>

namespace perdure::pg::detail {

class pool_state
{
public:
    pool_state(boost::asio::any_io_executor executor, pool_options options)
        : executor_{std::move(executor)}, options_{std::move(options)}
    {}

    static boost::asio::awaitable<pooled_connection> acquire(std::shared_ptr<pool_state> self);

    /// Takes a lent connection back: for the first waiter, to the idle ones, or, when it is not
    /// clean, not at all.
    void give_back(connection lent) noexcept;

    void close() noexcept;

    std::size_t size() const noexcept { return open_; }
    std::size_t idle() const noexcept { return idle_.size(); }
    const boost::asio::any_io_executor& executor() const noexcept { return executor_; }

private:
    /// A coroutine in `acquire`. It is granted either a connection or the right to make one.
    struct waiter
    {
        explicit waiter(const boost::asio::any_io_executor& executor) : woken{executor} {}

        boost::asio::steady_timer woken;
        std::optional<connection> granted;
        bool may_connect = false;
    };

    class place_in_queue;
    class slot;

    static boost::asio::awaitable<connection> wait_for_turn(std::shared_ptr<pool_state> self);
    static boost::asio::awaitable<connection> make(std::shared_ptr<pool_state> self);

    std::optional<connection> take_idle() noexcept;
    void free_slot() noexcept;
    error timed_out() const;
    [[noreturn]] void throw_closed() const;

    boost::asio::any_io_executor executor_;
    pool_options options_;
    std::size_t open_ = 0; ///< Connections that exist or are being made; at most `options_.size()`.
    std::vector<connection> idle_;
    std::deque<std::shared_ptr<waiter>>
        waiters_; ///< First come, first served; those granted have left it.
    std::string last_connect_error_;
    bool closed_ = false;
};

} // namespace perdure::pg::detail
