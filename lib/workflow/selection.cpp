#include <perdure/workflow/detail/selection_state.hpp>

#include "runtime.hpp"

#include <perdure/workflow/error.hpp>

#include <algorithm>
#include <numeric>

namespace perdure::detail {

void selection_state::add(wait& operand)
{
    operand.join(*this, operands_.size());
    operands_.push_back(&operand);
}

void selection_state::cancel()
{
    for (wait* each : operands_) each->give_up();
}

/// Those that are complete already come first, in the order in which they were.
void selection_state::order_by_completion()
{
    over_.reserve(operands_.size());
    to_start_.resize(operands_.size());
    std::iota(to_start_.begin(), to_start_.end(), std::size_t{0});
    const auto key = [this](std::size_t place) { // what is not complete, 0, becomes the greatest
        return std::pair(operands_[place]->completed() - 1, place);
    };
    std::sort(to_start_.begin(), to_start_.end(), [&](std::size_t left, std::size_t right) {
        return key(left) < key(right);
    });
}

void selection_state::child_over(std::size_t index)
{
    over_.push_back(index);
    if (waiting_ != nullptr) std::exchange(waiting_, nullptr)->over();
}

bool selection_wait::start(cancel_scope& scope)
{
    selection_state& from = *from_;
    refused_ = from.size() == 0 || from.waiting_ != nullptr;
    if (refused_) return true;
    if (from.to_start_.empty()) from.order_by_completion();
    while (from.over_.size() == from.taken_ && from.started_ != from.to_start_.size()) {
        const std::size_t place = from.to_start_[from.started_++];
        if (from.operands_[place]->begin(scope)) from.over_.push_back(place);
        if (!scope.run().running()) return false;
    }
    if (from.over_.size() != from.taken_) return true;
    from.waiting_ = this;
    return false;
}

bool selection_wait::cancel()
{
    from_->waiting_ = nullptr;
    return true;
}

std::size_t selection_wait::next()
{
    if (refused_)
        throw error(
            errc::invalid_argument,
            from_->size() == 0 ? "a select over a vector was awaited once more than it had operands"
                               : "a select over a vector is awaited by two coroutines at a time");
    return from_->over_[from_->taken_++];
}

} // namespace perdure::detail
