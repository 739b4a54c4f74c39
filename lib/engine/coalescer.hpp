// How often a process notifies: NOTIFY takes a lock of the whole cluster and wakes everybody who
// listens, so what is to be said soon after a notification goes out together, a little later.
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
    static constexpr std::chrono::milliseconds interval{2};

    /// \param seed of the numbers that announcements get.
    explicit coalescer(std::uint32_t seed) : random_{seed} { pending_.id = draw_id(); }

    /// A number for an announcement.
    store::announcement_id draw_id()
    {
        return store::announcement_id{static_cast<std::uint32_t>(random_())};
    }

    /// Whether a notification may go out at once, along with a commit: not before what waits.
    bool may_lead(time_point now) const noexcept
    {
        return now >= last_ + interval && !is_urgent(now);
    }
    /// It did.
    void led(time_point now) noexcept { last_ = now; }

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

    /// What waits goes out when something else is urged.
    void wait() noexcept { wanted_.reset(); }

    /// When the next notification is to be sent; nothing: there is nothing that anybody waits for.
    std::optional<time_point> next() const noexcept
    {
        if (!wanted_) return std::nullopt;
        return std::max(*wanted_, last_ + interval);
    }

    /// Whether somebody waits for it already.
    bool is_urgent(time_point now) const noexcept { return wanted_ && *wanted_ <= now; }

    /// Takes what is to be sent now.
    store::announcement take()
    {
        wanted_.reset();
        store::announcement taken = std::exchange(pending_, {});
        pending_.id = draw_id();
        return taken;
    }

private:
    std::mt19937 random_;
    store::announcement pending_;
    std::optional<time_point> wanted_;
    time_point last_{};
    std::function<void()> on_urge_;
};

} // namespace perdure
