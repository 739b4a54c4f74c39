#include <perdure/workflow/detail/group_wait.hpp>

#include "runtime.hpp"

namespace perdure::detail {

bool group_wait::start(cancel_scope& scope)
{
    run_ = &scope.run();
    const std::span<wait* const> all = operands();
    for (std::size_t i = 0; i != all.size(); ++i) {
        all[i]->join(*this, i);
        const bool at_once = all[i]->begin(scope);
        if (!run_->running()) return false;
        if (!at_once) {
            ++active_;
        } else if (settle(i)) {
            decide();
            break;
        }
    }
    return active_ == 0;
}

bool group_wait::cancel()
{
    if (!decided_) decide();
    return active_ == 0;
}

void group_wait::child_over(std::size_t index)
{
    --active_;
    if (!decided_ && settle(index)) decide();
    if (active_ == 0) over();
}

void group_wait::decide()
{
    decided_ = true;
    for (wait* each : operands()) {
        if (each->give_up()) --active_;
    }
    if (active_ != 0) run_->interrupt_cancelled();
}

bool all_wait::settle(std::size_t index)
{
    try {
        take(index);
    } catch (...) {
        failure_ = std::current_exception();
    }
    return failure_ != nullptr;
}

bool any_wait::start(cancel_scope& scope)
{
    wait* first = nullptr;
    const std::span<wait* const> all = operands();
    for (std::size_t i = 0; i != all.size(); ++i) {
        if (all[i]->completed() == 0) continue;
        if (first != nullptr && first->completed() <= all[i]->completed()) continue;
        first = all[i];
        winner_ = i;
    }
    if (first == nullptr) return group_wait::start(scope);
    return first->begin(scope);
}

bool any_wait::settle(std::size_t index)
{
    winner_ = index;
    return true;
}

} // namespace perdure::detail
