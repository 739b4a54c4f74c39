#include <perdure/workflow/detail/completion.hpp>

#include "runtime.hpp"

namespace perdure::detail {

void completion::complete(runtime& run)
{
    order_ = run.next_completion();
    while (link* waiter = waiters_.pop_front()) {
        static_cast<completion_wait*>(static_cast<waiter_link*>(waiter))->wake();
    }
}

bool completion_wait::enter(cancel_scope& scope)
{
    scope_ = &scope;
    if (!interrupted_by_scope()) return false;
    withdraw();
    return true;
}

void completion_wait::park(completion& awaited, bool interruptible)
{
    awaited.add_waiter(*this);
    if (interruptible) scope_->run().add_interruptible(*this);
}

void completion_wait::leave() noexcept
{
    waiter_link::unlink();
    interruptible_link::unlink();
}

void completion_wait::wake()
{
    leave();
    over();
}

void completion_wait::withdraw()
{
    waiter_link::unlink();
    interrupted_ = true;
    scope_->run().note_interruption();
    withdraw_awaited();
}

void completion_wait::end_interrupted()
{
    over();
}

} // namespace perdure::detail
