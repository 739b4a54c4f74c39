// A value that one coroutine delivers and another awaits.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include <exception>
#include <optional>
#include <utility>

namespace perdure {

/// Set once, awaited once, both on the same executor. Whoever delivers and whoever awaits share it.
template <class T>
class one_shot
{
public:
    explicit one_shot(boost::asio::any_io_executor executor)
        : timer_{executor, boost::asio::steady_timer::time_point::max()}
    {}

    void set(T value)
    {
        value_.emplace(std::move(value));
        timer_.cancel();
    }

    void fail(std::exception_ptr exception)
    {
        exception_ = std::move(exception);
        timer_.cancel();
    }

    /// The value, once it is there; throws what `fail` was given. Cancellation:
    /// `operation_aborted`.
    boost::asio::awaitable<T> wait()
    {
        while (!value_ && !exception_) {
            boost::system::error_code ignored;
            co_await timer_.async_wait(
                boost::asio::redirect_error(boost::asio::use_awaitable, ignored));
            const boost::asio::cancellation_state state =
                co_await boost::asio::this_coro::cancellation_state;
            const bool cancelled = state.cancelled() != boost::asio::cancellation_type::none;
            if (cancelled && !value_ && !exception_)
                throw boost::system::system_error{boost::asio::error::operation_aborted};
        }
        if (exception_) std::rethrow_exception(exception_);
        co_return std::move(*value_);
    }

private:
    boost::asio::steady_timer timer_;
    std::optional<T> value_;
    std::exception_ptr exception_;
};

} // namespace perdure
