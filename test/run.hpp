// Runs a coroutine to its end in a test, with a deadline, so that what hangs fails.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>

namespace perdure::test {

/// Time a test has for one `run` or `wait_until`, generous enough for a loaded machine with
/// sanitizers.
inline constexpr std::chrono::seconds deadline{30};

namespace detail {

template <class T>
boost::asio::awaitable<void> keep(
    boost::asio::awaitable<T> operation, std::shared_ptr<std::optional<T>> result)
{
    result->emplace(co_await std::move(operation));
}

} // namespace detail

/// Runs `io` until `operation` is finished and returns what it returned or throws what it threw.
/// Other work of `io` may be left over; it goes on with the next run. Throws std::runtime_error
/// after the deadline.
inline void run(
    boost::asio::io_context& io, boost::asio::awaitable<void> operation,
    std::chrono::steady_clock::duration limit = deadline)
{
    struct outcome
    {
        std::exception_ptr failure;
        bool done = false;
    };
    auto result = std::make_shared<outcome>(); // outlives a run that is given up
    boost::asio::co_spawn(io, std::move(operation), [result](std::exception_ptr failure) {
        result->failure = failure;
        result->done = true;
    });
    const auto end = std::chrono::steady_clock::now() + limit;
    io.restart();
    while (!result->done && std::chrono::steady_clock::now() < end)
        if (io.run_one_until(end) == 0 && io.stopped()) break;
    if (!result->done)
        throw std::runtime_error{"the coroutine did not finish before the test's deadline"};
    if (result->failure) std::rethrow_exception(result->failure);
}

template <class T>
T run(
    boost::asio::io_context& io, boost::asio::awaitable<T> operation,
    std::chrono::steady_clock::duration limit = deadline)
{
    auto result = std::make_shared<std::optional<T>>();
    run(io, detail::keep(std::move(operation), result), limit);
    return std::move(result->value());
}

/// Runs a coroutine on an io_context of its own.
template <class T>
T run(boost::asio::awaitable<T> operation)
{
    boost::asio::io_context io{1};
    return run(io, std::move(operation));
}

/// Runs a coroutine function on an io_context of its own: `run([]() -> awaitable<void> { … })`. The
/// function object is kept until the coroutine is finished, so it may capture by reference.
template <class F>
    requires std::is_invocable_v<F&>
auto run(F function)
{
    boost::asio::io_context io{1};
    return run(io, function());
}

/// The same on a given io_context.
template <class F>
    requires std::is_invocable_v<F&>
auto run(boost::asio::io_context& io, F function)
{
    return run(io, function());
}

/// Waits, looking every millisecond, until `condition` holds; throws std::runtime_error after the
/// deadline.
inline boost::asio::awaitable<void> wait_until(
    std::function<bool()> condition, std::chrono::steady_clock::duration limit = deadline)
{
    const auto end = std::chrono::steady_clock::now() + limit;
    boost::asio::steady_timer timer{co_await boost::asio::this_coro::executor};
    while (!condition()) {
        if (std::chrono::steady_clock::now() > end)
            throw std::runtime_error{"what the test waits for did not happen before its deadline"};
        timer.expires_after(std::chrono::milliseconds{1});
        co_await timer.async_wait(boost::asio::use_awaitable);
    }
}

/// Waits for a time that is itself what is tested, never for something to happen.
inline boost::asio::awaitable<void> pause(std::chrono::steady_clock::duration time)
{
    boost::asio::steady_timer timer{co_await boost::asio::this_coro::executor, time};
    co_await timer.async_wait(boost::asio::use_awaitable);
}

} // namespace perdure::test
