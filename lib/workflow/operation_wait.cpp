#include <perdure/workflow/detail/operation_wait.hpp>

#include "operation_state.hpp"
#include "runtime.hpp"

#include <utility>

namespace perdure::detail {

operation_wait::operation_wait(
    std::shared_ptr<operation_state> operation,
    std::optional<std::chrono::microseconds> limit) noexcept
    : operation_(std::move(operation)), limit_(limit)
{}

operation_wait::~operation_wait() = default;

bool operation_wait::await_ready()
{
    operation_->start();
    if (!operation_->run().running())
        return false; // the run is over: this coroutine is not resumed
    if (operation_->done()) return true;
    if (!limit_ || *limit_ > limit_->zero()) return false;
    timed_out_ = true;
    operation_->abandon();
    return true;
}

void operation_wait::park(task_promise_base& waiting)
{
    runtime& run = operation_->run();
    waiting_ = &waiting;
    if (!run.running()) return;
    operation_->add_waiter(on_operation_);
    if (!limit_) return;
    timer_ = std::make_shared<timer_operation>(run, *limit_);
    timer_->start();
    timer_->add_waiter(on_timer_);
}

void operation_wait::wake(const operation_state& completed) noexcept
{
    on_operation_.unlink();
    on_timer_.unlink();
    if (&completed == timer_.get()) {
        timed_out_ = true;
        operation_->abandon();
    }
    waiting_->make_ready();
}

wait_ending operation_wait::finish()
{
    if (timed_out_) return wait_ending::timed_out;
    if (timer_) static_cast<timer_operation&>(*timer_).cancel();
    return operation_->ending();
}

void operation_wait::rethrow_named(const error& refused) const
{
    throw error(refused.kind(), operation_->name() + ": " + refused.what());
}

const payload& operation_wait::value() const noexcept
{
    return operation_->data();
}

std::shared_ptr<const failed> operation_wait::failure() const
{
    return operation_->failure();
}

} // namespace perdure::detail
