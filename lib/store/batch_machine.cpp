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
    if (const auto end = end_of_patience()) return *end;
    batch_step step;
    if (groups_.empty()) return step;
    if (pause_.count() > 0) return wait(std::exchange(pause_, milliseconds{0}));
    const auto ready = std::ranges::min_element(groups_, {}, &group::pause); // the first of equals
    if (ready->pause.count() > 0) {
        const milliseconds pause = ready->pause;
        for (group& each : groups_) each.pause -= pause;
        return wait(pause);
    }
    under_way_ = std::move(*ready);
    groups_.erase(ready);
    if (under_way_->held && limits_.probes)
        doing_ = batch_step::kind::probe;
    else if (under_way_->in_doubt && limits_.resolves)
        doing_ = batch_step::kind::resolve;
    else
        doing_ = batch_step::kind::send;
    step.kind = doing_;
    step.items = under_way_->items;
    return step;
}

batch_step batch_machine::wait(milliseconds pause)
{
    now_ += pause;
    if (const auto end = end_of_patience()) return *end; // instead of waiting for it
    batch_step step;
    step.kind = batch_step::kind::wait;
    step.pause = pause;
    return step;
}

/// What to do when it is, for what it is at its end for: the others go on.
std::optional<batch_step> batch_machine::end_of_patience()
{
    const auto expired = [this](const group& each) {
        return limits_.patience && each.since && now_ - *each.since > *limits_.patience;
    };
    const auto forsaken =
        std::erase_if(groups_, [&](const group& each) { return each.in_doubt && expired(each); });
    if (forsaken > 0) left_in_doubt_ = true;
    batch_step step;
    step.kind = batch_step::kind::give_up;
    if (groups_.empty() ? left_in_doubt_ : hopeless_ && !in_doubt()) return step;
    const auto given_up = std::ranges::find_if(
        groups_, [&](const group& each) { return !each.in_doubt && (hopeless_ || expired(each)); });
    if (given_up == groups_.end()) {
        hopeless_ = false;
        return std::nullopt;
    }
    step.kind = batch_step::kind::reject;
    step.items = given_up->items;
    step.locked = given_up->held;
    settle(*given_up, batch_outcome::rejected);
    groups_.erase(given_up);
    return step;
}

void batch_machine::committed(std::span<const std::size_t> again)
{
    const group done = take();
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
    now_ += took;
    if (how != batch_failure::refused && !which.since) which.since = now_ - took;
    const bool was_probe = doing_ == batch_step::kind::probe; // which changes nothing
    if (how == batch_failure::unknown && !was_probe) which.in_doubt = which.was_in_doubt = true;
    if (how == batch_failure::unknown || how == batch_failure::unavailable) {
        hopeless_ = limits_.patience && !which.in_doubt;
        pause_ = pause_before(++outages_);
        return put_back(std::move(which));
    }
    outages_ = 0;
    if (was_probe) return delay(std::move(which));
    which.held = false;
    const bool asked = which.in_doubt && limits_.resolves; // it can only be asked again
    const bool several = which.items.size() > 1;
    if (how == batch_failure::locked) {
        if (several && limits_.probes && !which.probed) return hold(std::move(which));
        if (several) return take_apart(which);
        which.held = true;
        return delay(std::move(which));
    }
    if (!asked && several && (how == batch_failure::refused || how == batch_failure::slow))
        return halve(std::move(which));
    if (!asked && how == batch_failure::refused) return settle(which, batch_outcome::rejected);
    delay(std::move(which));
}

void batch_machine::fenced(std::span<const std::size_t> positions)
{
    const group which = take();
    outages_ = 0;
    group losers;
    group rest;
    rest.was_in_doubt = which.was_in_doubt;
    for (std::size_t i = 0; i < which.items.size(); ++i) {
        const bool lost = std::ranges::find(positions, i + 1) != positions.end();
        (lost ? losers : rest).items.push_back(which.items[i]);
    }
    if (losers.items.empty())
        throw std::logic_error{"a fence stopped a batch without naming a loser in it"};
    put_back(std::move(rest));
    if (!which.was_in_doubt || !limits_.resolves) return settle(losers, batch_outcome::lost);
    losers.in_doubt = losers.was_in_doubt = losers.lost = true;
    put_back(std::move(losers));
}

void batch_machine::probed(const std::vector<bool>& locked)
{
    const group which = take();
    outages_ = 0;
    group held = part_of(which);
    group rest = part_of(which);
    for (std::size_t i = 0; i < which.items.size(); ++i)
        (locked.at(i) ? held : rest).items.push_back(which.items[i]);
    rest.probed = true;
    held.held = true;
    held.tries = which.tries;
    if (!held.items.empty()) delay(std::move(held));
    put_back(std::move(rest));
}

void batch_machine::resolved(const std::vector<bool>& settled)
{
    const group which = take();
    outages_ = 0;
    group known;
    group rest;
    rest.was_in_doubt = true;
    for (std::size_t i = 0; i < which.items.size(); ++i)
        (settled.at(i) ? known : rest).items.push_back(which.items[i]);
    settle(known, batch_outcome::confirmed);
    if (which.lost) return settle(rest, batch_outcome::lost);
    put_back(std::move(rest));
}

bool batch_machine::in_doubt() const noexcept
{
    return left_in_doubt_ || std::ranges::any_of(groups_, &group::in_doubt);
}

bool batch_machine::held_up() const noexcept
{
    return !groups_.empty() && std::ranges::all_of(groups_, &group::held);
}

batch_machine::group batch_machine::take()
{
    if (!under_way_) throw std::logic_error{"a report without a step of the batch"};
    group taken = std::move(*under_way_);
    under_way_.reset();
    return taken;
}

/// Without items, but in the same doubt for as long.
batch_machine::group batch_machine::part_of(const group& whole)
{
    group part;
    part.in_doubt = whole.in_doubt;
    part.was_in_doubt = whole.was_in_doubt;
    part.lost = whole.lost;
    part.since = whole.since;
    return part;
}

/// What is left of a group goes on at once, before the others.
void batch_machine::put_back(group rest)
{
    if (!rest.items.empty()) groups_.push_front(std::move(rest));
}

void batch_machine::settle(const group& which, batch_outcome how)
{
    for (const std::size_t item : which.items) outcomes_[item] = how;
}

/// The next step asks which of its items are locked.
void batch_machine::hold(group which)
{
    which.held = true;
    put_back(std::move(which));
}

void batch_machine::halve(group which)
{
    const auto middle =
        which.items.begin() + static_cast<std::ptrdiff_t>((which.items.size() + 1) / 2);
    group second = part_of(which);
    second.items.assign(middle, which.items.end());
    which.items.erase(middle, which.items.end());
    put_back(std::move(second));
    put_back(std::move(which));
}

/// Which item it was is not known: each goes alone, so that only that one waits.
void batch_machine::take_apart(const group& which)
{
    for (auto item = which.items.rbegin(); item != which.items.rend(); ++item) {
        group alone = part_of(which);
        alone.items.push_back(*item);
        put_back(std::move(alone));
    }
}

void batch_machine::delay(group which)
{
    // A lock was waited for already, or lasts: looking again at once would be in vain.
    which.pause = pause_before(++which.tries + (which.held ? 1 : 0));
    put_back(std::move(which));
}

} // namespace perdure::store
