#include <engine/wake_flag.hpp>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include <algorithm>

namespace perdure {

namespace asio = boost::asio;

wake_flag::wake_flag(asio::any_io_executor executor) : timer_{executor} {}

void wake_flag::clear() noexcept
{
    raised_ = false;
}

void wake_flag::raise()
{
    raised_ = true;
    timer_.cancel();
}

void wake_flag::wake_at(time_point due)
{
    if (due == due_) return;
    due_ = due;
    timer_.cancel(); // the waiter looks at the new instant
}

asio::awaitable<void> wake_flag::wait_until(time_point deadline)
{
    return wait(deadline, true);
}

asio::awaitable<void> wake_flag::rest_until(time_point deadline)
{
    return wait(deadline, false);
}

asio::awaitable<void> wake_flag::wait(time_point deadline, bool heeds_due)
{
    for (;;) {
        const time_point until = heeds_due ? std::min(deadline, due_) : deadline;
        if (raised_ || std::chrono::steady_clock::now() >= until) co_return;
        timer_.expires_at(until);
        boost::system::error_code ignored; // a cancelled timer means: look again
        co_await timer_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
        const auto cancelled = (co_await asio::this_coro::cancellation_state).cancelled();
        if (cancelled != asio::cancellation_type::none)
            throw boost::system::system_error{asio::error::operation_aborted};
    }
}

} // namespace perdure
