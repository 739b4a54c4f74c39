#include <store/batch_machine.hpp>

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace perdure::store {

namespace {

using std::chrono::milliseconds;

/// Doubles with each try, from 10 ms up to a second; the first one is free.
milliseconds pause_before(unsigned tries)
{
    if (tries <= 1) return milliseconds{0};
    return std::min(milliseconds{1'000}, milliseconds{10} * (1 << std::min(tries - 2, 10U)));
}

} // namespace

batch_machine::batch_machine(std::span<const std::size_t> bytes, batch_limits limits)
    : limits_{limits}, outcomes_(bytes.size(), batch_outcome::open)
{
    std::size_t size = 0;
    for (std::size_t item = 0; item < bytes.size(); ++item) {
        const bool full = !groups_.empty() && (groups_.back().items.size() >= limits_.items ||
                                               size + bytes[item] > limits_.bytes);
        if (groups_.empty() || full) {
            groups_.emplace_back();
            size = 0;
        }
        groups_.back().items.push_back(item);
        size += bytes[item];
    }
}

batch_step batch_machine::next()
{
    if (under_way_) throw std::logic_error{"a step of the batch was not reported"};
    batch_step step;
    if (groups_.empty()) return step;
    if (hopeless_ || impatient()) {
        step.kind = batch_step::kind::give_up;
        return step;
    }
    if (pause_.count() > 0) return wait(std::exchange(pause_, milliseconds{0}));
    const auto ready = std::ranges::min_element(groups_, {}, &group::pause); // the first of equals
    if (ready->pause.count() > 0) {
        const milliseconds pause = ready->pause;
        for (group& each : groups_) each.pause -= pause;
        return wait(pause);
    }
    under_way_ = std::move(*ready);
    groups_.erase(ready);
    step.kind = under_way_->in_doubt && limits_.resolves ? batch_step::kind::resolve
                                                         : batch_step::kind::send;
    step.items = under_way_->items;
    return step;
}

batch_step batch_machine::wait(milliseconds pause)
{
    batch_step step;
    waited_ += pause;
    step.kind = impatient() ? batch_step::kind::give_up : batch_step::kind::wait;
    step.pause = pause;
    return step;
}

void batch_machine::committed(std::span<const std::size_t> again)
{
    group done = take();
    outages_ = 0;
    settle(done, batch_outcome::confirmed);
    group rest;
    rest.items.assign(again.begin(), again.end());
    for (const std::size_t item : again) outcomes_.at(item) = batch_outcome::open;
    put_back(std::move(rest));
}

void batch_machine::failed(batch_failure how, milliseconds took)
{
    group which = take();
    waited_ += took;
    if (how == batch_failure::unknown) which.in_doubt = true;
    if (how == batch_failure::unknown || how == batch_failure::unavailable) {
        hopeless_ = limits_.patience && !which.in_doubt;
        pause_ = pause_before(++outages_);
        return put_back(std::move(which));
    }
    outages_ = 0;
    const bool asked = which.in_doubt && limits_.resolves; // it can only be asked again
    const bool several = which.items.size() > 1;
    if (several && how == batch_failure::locked) return take_apart(which);
    if (!asked && several && (how == batch_failure::refused || how == batch_failure::slow))
        return halve(std::move(which));
    if (!asked && how == batch_failure::refused) return settle(which, batch_outcome::rejected);
    delay(std::move(which));
}

void batch_machine::fenced(std::span<const std::size_t> positions)
{
    group which = take();
    outages_ = 0;
    if (limits_.losers_again) return delay(std::move(which));
    group losers;
    group rest;
    for (std::size_t i = 0; i < which.items.size(); ++i) {
        const bool lost = std::ranges::find(positions, i + 1) != positions.end();
        (lost ? losers : rest).items.push_back(which.items[i]);
    }
    if (losers.items.empty())
        throw std::logic_error{"a fence stopped a batch without naming a loser in it"};
    settle(losers, batch_outcome::lost);
    put_back(std::move(rest));
}

void batch_machine::resolved(const std::vector<bool>& settled)
{
    group which = take();
    outages_ = 0;
    group known;
    group rest;
    for (std::size_t i = 0; i < which.items.size(); ++i)
        (settled.at(i) ? known : rest).items.push_back(which.items[i]);
    settle(known, batch_outcome::confirmed);
    put_back(std::move(rest));
}

bool batch_machine::in_doubt() const noexcept
{
    return std::ranges::any_of(groups_, &group::in_doubt);
}

bool batch_machine::impatient() const noexcept
{
    return limits_.patience && waited_ > *limits_.patience;
}

batch_machine::group batch_machine::take()
{
    if (!under_way_) throw std::logic_error{"a report without a step of the batch"};
    group taken = std::move(*under_way_);
    under_way_.reset();
    return taken;
}

/// What is left of a group goes on at once, before the others.
void batch_machine::put_back(group rest)
{
    if (!rest.items.empty()) groups_.push_front(std::move(rest));
}

void batch_machine::settle(const group& which, batch_outcome how)
{
    for (const std::size_t item : which.items) outcomes_[item] = how;
    if (!which.items.empty()) waited_ = milliseconds{0};
}

void batch_machine::halve(group which)
{
    const auto middle =
        which.items.begin() + static_cast<std::ptrdiff_t>((which.items.size() + 1) / 2);
    group second;
    second.in_doubt = which.in_doubt;
    second.items.assign(middle, which.items.end());
    which.items.erase(middle, which.items.end());
    put_back(std::move(second));
    put_back(std::move(which));
}

/// Which item it was is not known: each goes alone, so that only that one waits.
void batch_machine::take_apart(const group& which)
{
    for (auto item = which.items.rbegin(); item != which.items.rend(); ++item) {
        group alone;
        alone.in_doubt = which.in_doubt;
        alone.items.push_back(*item);
        put_back(std::move(alone));
    }
}

void batch_machine::delay(group which)
{
    which.pause = pause_before(++which.tries);
    put_back(std::move(which));
}

} // namespace perdure::store
