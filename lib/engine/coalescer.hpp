// How often a process notifies: NOTIFY takes a lock of the whole cluster and wakes everybody who
// listens, so what is to be said soon after a notification goes out together, a little later.
#pragma once

#include <perdure/store/announcement.hpp>

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
    bool may_lead(time_point now) const noexcept { return !urgent_ && now >= last_ + interval; }
    /// It did.
    void led(time_point now) noexcept { last_ = now; }

    /// What goes out next; it has its number already. Whoever adds to it what others wait for calls `urge`.
    store::announcement& pending() noexcept { return pending_; }
    void urge()
    {
        if (!std::exchange(urgent_, true) && on_urge_) on_urge_();
    }
    /// Called when there is something to send.
    void on_urge(std::function<void()> handler) { on_urge_ = std::move(handler); }

    /// When the next notification is to be sent; nothing: there is nothing that anybody waits for.
    std::optional<time_point> next() const noexcept
    {
        if (!urgent_) return std::nullopt;
        return last_ + interval;
    }

    /// Takes what is to be sent now.
    store::announcement take(time_point now)
    {
        last_ = now;
        urgent_ = false;
        store::announcement taken = std::exchange(pending_, {});
        pending_.id = draw_id();
        return taken;
    }

private:
    std::mt19937 random_;
    store::announcement pending_;
    bool urgent_ = false;
    time_point last_{};
    std::function<void()> on_urge_;
};

} // namespace perdure
