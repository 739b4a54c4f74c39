#include <perdure/workflow/detail/operation_wait.hpp>

#include "operation_state.hpp"
#include "runtime.hpp"

#include <utility>

namespace perdure::detail {

operation_wait::operation_wait(std::shared_ptr<operation_state> operation) noexcept
    : operation_(std::move(operation))
{}

operation_wait::~operation_wait() = default;

std::uint64_t operation_wait::completed() const noexcept
{
    return operation_->order();
}

bool operation_wait::interrupted_by_scope() const noexcept
{
    return !operation_->shielded() && scope().cancelled();
}

bool operation_wait::start(cancel_scope& scope)
{
    if (!scope.run().take_step()) return false;
    if (enter(scope)) return true;
    operation_->start();
    if (!scope.run().running()) return false; // the run is over: this coroutine is not resumed
    if (operation_->done()) return true;
    park(*operation_, !operation_->shielded());
    return false;
}

bool operation_wait::cancel()
{
    leave();
    operation_->leave(leaving::lost);
    return true;
}

bool operation_wait::abandon()
{
    leave();
    operation_->leave(leaving::timed_out);
    return true;
}

void operation_wait::withdraw_awaited()
{
    operation_->leave(leaving::interrupted);
}

bool operation_wait::has_failed() const noexcept
{
    return interrupted() || operation_->ending() != operation_ending::value;
}

const payload& operation_wait::value() const noexcept
{
    return operation_->data();
}

std::shared_ptr<const failed> operation_wait::failure() const
{
    if (interrupted() || operation_->ending() == operation_ending::cancelled)
        return std::make_shared<const cancelled>();
    return operation_->failure();
}

void operation_wait::rethrow_named(const error& refused) const
{
    throw error(refused.kind(), operation_->name() + ": " + refused.what());
}

} // namespace perdure::detail
