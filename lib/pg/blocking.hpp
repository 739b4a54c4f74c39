// Runs calls that may block away from the executor of the coroutine that waits for them.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <functional>

namespace perdure::pg {

/// The executor for blocking calls of an executor's context: one thread, started by its first use
/// and joined when the context is destroyed.
boost::asio::any_io_executor blocking_executor_of(const boost::asio::any_io_executor& executor);

/// Runs `work` on `blocking` and waits for its end on the coroutine's own executor. True: it ended.
/// False: `deadline` came first; `work` still runs to its end if it has begun, so it must own what
/// it touches, and else never: a slow call would be followed by all that were given up behind it.
/// Throws what `work` threw, or `operation_aborted` when cancelled, which lets `work` go on
/// likewise.
boost::asio::awaitable<bool> run_blocking(
    boost::asio::any_io_executor blocking, std::function<void()> work,
    std::chrono::steady_clock::time_point deadline);

} // namespace perdure::pg
