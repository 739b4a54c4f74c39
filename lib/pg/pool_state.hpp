// The inside of a pool, shared by the pool, its lent connections and the coroutines that wait in
// it.
#pragma once

#include <perdure/pg/pool.hpp>

#include <boost/asio/steady_timer.hpp>

#include <deque>
#include <list>
#include <memory>
#include <string>
#include <vector>

namespace perdure::pg::detail {

class pool_state : public std::enable_shared_from_this<pool_state>
{
public:
    pool_state(boost::asio::any_io_executor executor, pool_options options);

    static boost::asio::awaitable<pooled_connection> acquire(
        std::shared_ptr<pool_state> self, pool_priority priority);

    /// Takes a lent connection back: for the first waiter, to the idle ones, to the janitor, or,
    /// when nothing can be made of it, not at all.
    void give_back(connection lent, pool_priority priority) noexcept;

    void close() noexcept;

    pool_statistics statistics() const noexcept;
    const boost::asio::any_io_executor& executor() const noexcept { return executor_; }

private:
    /// A coroutine in `acquire`. It is granted either a connection or the right to make one.
    struct waiter
    {
        waiter(const boost::asio::any_io_executor& executor, pool_priority p)
            : woken{executor}, priority{p}
        {}

        boost::asio::steady_timer woken;
        pool_priority priority;
        std::optional<connection> granted;
        bool may_connect = false;
    };
    using queue = std::deque<std::shared_ptr<waiter>>;

    class place_in_queue;
    class slot;
    struct cleaning;

    static boost::asio::awaitable<connection> wait_for_turn(
        std::shared_ptr<pool_state> self, pool_priority priority);
    static boost::asio::awaitable<connection> make(std::shared_ptr<pool_state> self);
    static boost::asio::awaitable<void> clean_up(
        std::shared_ptr<pool_state> self, std::shared_ptr<cleaning> job);

    bool may_take(pool_priority priority) const noexcept;
    bool somebody_waits(pool_priority priority) const noexcept;
    void take(pool_priority priority) noexcept;
    void put(pool_priority priority) noexcept;
    queue& waiters(pool_priority priority) noexcept;
    std::optional<connection> take_idle() noexcept;
    void free_slot(pool_priority priority) noexcept;
    void serve_waiters() noexcept;
    bool serve_first(pool_priority priority) noexcept;
    void begin_cleaning(connection dirty, pool_priority priority);
    void end_cleaning(const std::shared_ptr<cleaning>& job) noexcept;
    error timed_out() const;
    [[noreturn]] void throw_closed() const;

    boost::asio::any_io_executor executor_;
    pool_options options_;
    boost::asio::steady_timer closing_; ///< Cancelled by `close`.
    /// Connections that exist or are being made; at most `options_.size()`.
    std::size_t open_ = 0;
    /// Those of them that are lent to, made for or left dirty by users of normal priority; at most
    /// all but the reserved.
    std::size_t normal_ = 0;
    std::vector<connection> idle_;
    queue critical_; ///< Served before the others; those granted have left it.
    queue others_;   ///< First come, first served; those granted have left it.
    std::list<std::shared_ptr<cleaning>> dirty_; ///< With the janitor.
    std::string last_connect_error_;
    bool closed_ = false;
};

} // namespace perdure::pg::detail
