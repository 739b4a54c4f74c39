// Notices an executor that runs its handlers on several threads, which an engine does not bear.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>

#include <atomic>
#include <thread>

namespace perdure {

/// Counts how often the executor's handlers come to another thread. An execution context may be
/// handed from one thread to the next, a few times; handlers that keep changing are run by several.
class thread_watch
{
public:
    explicit thread_watch(const boost::asio::any_io_executor& executor) noexcept
        : watching_{
              executor.target<boost::asio::io_context::executor_type>() != nullptr ||
              executor.target<boost::asio::thread_pool::executor_type>() != nullptr}
    {}

    /// To be called by handlers, again and again. Returns true once, at the change of thread that
    /// is one too many; never for a strand or a foreign executor, which may change as it likes.
    bool astray() noexcept
    {
        if (!watching_) return false;
        const std::thread::id here = std::this_thread::get_id();
        if (last_.exchange(here, std::memory_order_relaxed) == here) return false;
        return ++changes_ == most_changes + 2; // the first thread is no change
    }

private:
    static constexpr int most_changes = 3;

    bool watching_;
    std::atomic<std::thread::id> last_;
    std::atomic<int> changes_ = 0;
};

} // namespace perdure
