#include <perdure/workflow/detail/wait.hpp>

namespace perdure::detail {

bool wait::begin(cancel_scope& scope)
{
    state_ = state::under_way;
    const bool at_once = start(scope);
    if (at_once) state_ = state::over;
    return at_once;
}

bool wait::give_up()
{
    if (state_ != state::under_way || !cancel()) return false;
    state_ = state::over;
    return true;
}

bool wait::run_out_of_time()
{
    if (state_ != state::under_way || !abandon()) return false;
    state_ = state::over;
    return true;
}

void wait::over()
{
    state_ = state::over;
    if (parent_ != nullptr)
        parent_->child_over(index_);
    else
        waiting_->make_ready();
}

} // namespace perdure::detail
