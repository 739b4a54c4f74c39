// How often a process notifies: NOTIFY takes a lock of the whole cluster and wakes everybody who
// listens, so what is to be said soon after notifications goes out together, a little later.
#pragma once

#include <perdure/store/announcement.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <random>
#include <utility>

namespace perdure {

/// Gathers what is to be said. It does no I/O: `next` says when to `take` and send.
class coalescer
{
public:
    using time_point = std::chrono::steady_clock::time_point;
    /// One notification each, and at most one of them saved up: so a commit that is made up right
    /// behind a notification takes its own along, and saves a round trip.
    static constexpr std::chrono::milliseconds interval{2};

    /// \param seed of the numbers that announcements get.
    explicit coalescer(std::uint32_t seed) : random_{seed} { pending_.id = draw_id(); }

    /// A number for an announcement.
    store::announcement_id draw_id()
    {
        return store::announcement_id{static_cast<std::uint32_t>(random_())};
    }

    /// Whether a notification may go out at once, along with a commit: not before what waits.
    bool may_lead(time_point now) const noexcept { return now >= next_allowed_ && !is_urgent(now); }
    /// It did, allowed or not.
    void led(time_point now) noexcept
    {
        next_allowed_ = std::clamp(next_allowed_, now - interval, now) + interval;
    }

    /// What goes out next; it has its number already. Whoever adds to it what others wait for calls
    /// `urge`.
    store::announcement& pending() noexcept { return pending_; }

    /// Others should hear of it at this instant, if it is not needless by then.
    void urge(time_point at)
    {
        if (wanted_ && *wanted_ <= at) return;
        wanted_ = at;
        if (on_urge_) on_urge_();
    }
    /// Called when there is something to send, or sooner than before.
    void on_urge(std::function<void()> handler) { on_urge_ = std::move(handler); }

    /// What waits stays until something else is urged, or until `release`.
    void hold() noexcept
    {
        wanted_.reset();
        held_ = true;
    }
    /// What is held goes out now.
    void release(time_point now)
    {
        if (held_) urge(now);
    }

    /// When the next notification is to be sent; nothing: there is nothing that anybody waits for.
    std::optional<time_point> next() const noexcept
    {
        if (!wanted_) return std::nullopt;
        return std::max(*wanted_, next_allowed_);
    }

    /// Whether somebody waits for it already.
    bool is_urgent(time_point now) const noexcept { return wanted_ && *wanted_ <= now; }

    /// Takes what is to be sent now.
    store::announcement take()
    {
        wanted_.reset();
        held_ = false;
        store::announcement taken = std::exchange(pending_, {});
        pending_.id = draw_id();
        return taken;
    }

private:
    std::mt19937 random_;
    store::announcement pending_;
    std::optional<time_point> wanted_;
    bool held_ = false;
    time_point next_allowed_{};
    std::function<void()> on_urge_;
};

} // namespace perdure
