#include "command_log.hpp"

#include <utility>

namespace perdure::detail {

namespace {

/// The name of a side effect says what came of it, which only the history knows.
bool same_command(const event& recorded, const event& emitted)
{
    return recorded.type == emitted.type && recorded.operation == emitted.operation &&
           (recorded.type == event_type::side_effect || recorded.name == emitted.name);
}

} // namespace

void command_log::record()
{
    checking_ = false;
    recorded_.clear();
}

void command_log::check(std::span<const event> recorded, std::int32_t position)
{
    checking_ = true;
    expected_ = recorded;
    position_ = position;
}

const event* command_log::emit(event command)
{
    if (!checking_) return &recorded_.emplace_back(std::move(command));
    if (expected_.empty() || !same_command(expected_.front(), command)) {
        mismatch_ = command_mismatch{
            position_,
            expected_.empty() ? "nothing more before the next event" : describe(expected_.front()),
            describe(command)};
        return nullptr;
    }
    const event* found = &expected_.front();
    expected_ = expected_.subspan(1);
    ++position_;
    return found;
}

void command_log::end()
{
    if (!checking_) return;
    if (!mismatch_ && !expected_.empty()) {
        mismatch_ = command_mismatch{position_, describe(expected_.front()), "nothing"};
    }
    expected_ = {};
}

std::vector<event> command_log::take() noexcept
{
    return std::exchange(recorded_, {});
}

} // namespace perdure::detail
