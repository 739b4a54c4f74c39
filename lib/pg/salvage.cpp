#include <pg/salvage.hpp>

#include <utility>

namespace perdure::pg {

salvage::action salvage::begin() noexcept
{
    switch (stake_) {
    case stake::nothing: return go(action::roll_back);
    case stake::open_transaction:
    case stake::implicit_transaction: return go(action::wait_briefly);
    // Cancelling the wait for a synchronous standby would make a commit visible that no standby
    // has.
    case stake::commit: break;
    }
    return go(action::drop);
}

salvage::action salvage::resume(outcome last) noexcept
{
    if (last == outcome::cancelled && std::exchange(signal_under_way_, false))
        return go(doing_); // what was meant for the old statement hit this one
    if (last == outcome::not_yet && doing_ == action::wait_briefly) return go(action::cancel);
    if (last != outcome::done) return go(action::drop);
    switch (doing_) {
    case action::cancel: signal_under_way_ = true; return go(action::drain);
    case action::wait_briefly:
    case action::drain: return go(action::roll_back);
    case action::roll_back: return go(stake_ == stake::nothing ? action::keep : action::reset);
    case action::reset: return go(action::keep);
    case action::keep:
    case action::drop: break;
    }
    return go(action::drop);
}

} // namespace perdure::pg
