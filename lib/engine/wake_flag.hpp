// What somebody parks on: a flag that remembers being raised, so that a wake-up between "I looked
// and found nothing" and "I sleep" is never lost.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>

namespace perdure {

/// Whoever can be woken.
class wakeable
{
public:
    using time_point = std::chrono::steady_clock::time_point;

    virtual void raise() = 0;
    /// The instant at which it is to wake by itself, instead of an earlier one.
    virtual void wake_at(time_point due) = 0;

protected:
    ~wakeable() = default;
};

/// A flag with one waiter. The order that loses nothing: `clear()`, look for work, `wait_until()`.
class wake_flag final : public wakeable
{
public:
    explicit wake_flag(boost::asio::any_io_executor executor);

    /// Forgets that it was raised. Call it before looking for work.
    void clear() noexcept;

    /// Wakes the waiter, now or when it next waits.
    void raise() override;

    /// Wakes the waiter at `due` at the latest, until another instant is given.
    void wake_at(time_point due) override;

    /// Waits until the flag is raised, until the instant of `wake_at`, or until `deadline`.
    /// Cancellation ends the wait with `operation_aborted`.
    boost::asio::awaitable<void> wait_until(time_point deadline);

    /// Waits until the flag is raised or until `deadline`, whatever `wake_at` said: for whoever could
    /// not look. Cancellation as above.
    boost::asio::awaitable<void> rest_until(time_point deadline);

private:
    boost::asio::awaitable<void> wait(time_point deadline, bool heeds_due);

    boost::asio::steady_timer timer_;
    bool raised_ = false;
    time_point due_ = time_point::max();
};

} // namespace perdure
