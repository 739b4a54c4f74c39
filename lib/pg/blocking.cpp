#include <pg/blocking.hpp>

#include <boost/asio/execution/context.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/query.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include <atomic>
#include <exception>
#include <memory>
#include <utility>

namespace perdure::pg {

namespace asio = boost::asio;

namespace {

/// A service, so that the thread ends before the context whose executor it posts to.
class blocking_service : public asio::execution_context::service
{
public:
    using key_type = blocking_service;
    inline static asio::execution_context::id id;

    explicit blocking_service(asio::execution_context& context) : service{context} {}

    asio::any_io_executor executor() { return threads_.get_executor(); }

private:
    void shutdown() noexcept override
    {
        threads_.stop();
        threads_.join();
    }

    asio::thread_pool threads_{1};
};

/// What the thread and the waiting coroutine share. It may end anywhere, even after the executor's
/// context, in the queue of a thread that was stopped; so it owns nothing of that context.
struct job
{
    std::function<void()> work;
    std::exception_ptr failure;
    std::atomic<bool> given_up{false};
    bool done = false;                     ///< Only the executor's side touches it.
    asio::steady_timer* waiting = nullptr; ///< Cancelled when `work` ended; the executor's side's.
};

/// The wait for a job, given up when its coroutine ends in whatever way.
class job_wait
{
public:
    job_wait(std::shared_ptr<job> j, asio::steady_timer& ended) noexcept : job_{std::move(j)}
    {
        job_->waiting = &ended;
    }
    job_wait(const job_wait&) = delete;
    job_wait& operator=(const job_wait&) = delete;
    ~job_wait()
    {
        job_->given_up = true;
        job_->waiting = nullptr;
    }

private:
    std::shared_ptr<job> job_;
};

} // namespace

asio::any_io_executor blocking_executor_of(const asio::any_io_executor& executor)
{
    auto& context = asio::query(executor, asio::execution::context);
    return asio::use_service<blocking_service>(context).executor();
}

asio::awaitable<bool> run_blocking(
    asio::any_io_executor blocking, std::function<void()> work,
    std::chrono::steady_clock::time_point deadline)
{
    auto executor = co_await asio::this_coro::executor;
    auto j = std::make_shared<job>();
    j->work = std::move(work);
    asio::steady_timer ended{executor, deadline};
    const job_wait waiting{j, ended};
    auto on_thread = [j, executor]() mutable {
        try {
            if (!j->given_up) j->work();
        } catch (...) {
            j->failure = std::current_exception();
        }
        // The last reference goes along, so that what the job owns ends on the executor.
        asio::post(executor, [finished = std::move(j)] {
            finished->done = true;
            if (finished->waiting) finished->waiting->cancel();
        });
    };
    asio::post(blocking, std::move(on_thread));
    boost::system::error_code interrupted;
    co_await ended.async_wait(asio::redirect_error(asio::use_awaitable, interrupted));
    if (j->done) {
        if (j->failure) std::rethrow_exception(j->failure);
        co_return true;
    }
    if (interrupted) throw boost::system::system_error{asio::error::operation_aborted};
    co_return false;
}

} // namespace perdure::pg
