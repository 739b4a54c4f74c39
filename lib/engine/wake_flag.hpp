// What a poller parks on: a flag that remembers being raised, so that a wake-up between "I looked
// and found nothing" and "I sleep" is never lost.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>

namespace perdure {

/// A flag with one waiter. The order that loses nothing: `clear()`, look for work, `wait_until()`.
class wake_flag
{
public:
    using time_point = std::chrono::steady_clock::time_point;

    explicit wake_flag(boost::asio::any_io_executor executor);

    /// Forgets earlier wake-ups. Call it before looking for work.
    void clear() noexcept;

    /// Wakes the waiter, now or when it next waits.
    void raise();

    /// Wakes the waiter at `due` at the latest; an earlier instant wins.
    void raise_at(time_point due);

    /// Waits until the flag is raised, the earliest `raise_at` is reached, or `deadline`.
    /// Cancellation ends the wait with `operation_aborted`.
    boost::asio::awaitable<void> wait_until(time_point deadline);

private:
    boost::asio::steady_timer timer_;
    bool raised_ = false;
    time_point due_ = time_point::max();
};

} // namespace perdure
