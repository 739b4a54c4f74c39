#include <perdure/workflow/spawned.hpp>

#include "runtime.hpp"

namespace perdure::detail {

void spawned_state::start()
{
    if (!run_->running()) return;
    number_ = run_->keep(shared_from_this());
    promise().attach(run_->scope(), *this);
    promise().make_ready();
}

void spawned_state::task_ended()
{
    const std::shared_ptr<spawned_state> self = run_->forget(number_);
    run_->destroy_later(end());
    complete(*run_);
}

std::uint64_t spawned_wait::completed() const noexcept
{
    return awaited_->order();
}

/// The cancellation of the instance reaches the task itself.
bool spawned_wait::interrupted_by_scope() const noexcept
{
    return scope().cancelled() && !awaited_->run().cancel_requested();
}

bool spawned_wait::start(cancel_scope& scope)
{
    if (!scope.run().take_step()) return false;
    if (enter(scope)) return true;
    if (awaited_->done()) return true;
    park(*awaited_, true);
    return false;
}

bool spawned_wait::cancel()
{
    leave();
    return true;
}

void spawned_wait::check() const
{
    if (interrupted()) throw cancelled();
}

} // namespace perdure::detail
