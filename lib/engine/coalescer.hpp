// How often a process notifies: NOTIFY takes a lock of the whole cluster and wakes everybody who
// listens, so what is to be said soon after notifications goes out together, a little later, most
// often along with another commit.
#pragma once

#include <perdure/store/announcement.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <random>
#include <utility>
#include <vector>

namespace perdure {

/// Gathers what is to be said. It does no I/O: `next` says when to `take` and send.
class coalescer
{
public:
    using clock = std::chrono::steady_clock;
    using time_point = clock::time_point;
    using duration = clock::duration;

    /// One notification each, and at most one of them saved up: so a commit that is made up right
    /// behind a notification takes its own along, and saves a round trip.
    static constexpr std::chrono::milliseconds interval{2};
    /// Where commits follow one another without a pause, and take longer than the quickest of them
    /// did, they wait for each other: for a processor, most often. A NOTIFY with each would make all
    /// of them wait longer. Between two goes so many times what they wait.
    static constexpr int waits_between = 10;
    /// Which share of the last ones must have followed without a pause.
    static constexpr double without_pause = 0.75;
    /// What is taken for a commit's duration at most: one may have waited for a lock.
    static constexpr std::chrono::milliseconds longest_commit{50};
    /// What went along with a commit is said by itself, too, if it has not got through for as long;
    /// where commits take long, for four times as long as they do.
    static constexpr std::chrono::milliseconds longest_ride{10};
    /// Most instances of which a commit takes word along: with its own they have room in a payload.
    static constexpr std::size_t most_along = 300;

    /// \param seed of the numbers that announcements get.
    explicit coalescer(std::uint32_t seed) : random_{seed} { pending_.id = draw_id(); }

    /// A number for an announcement.
    store::announcement_id draw_id()
    {
        return store::announcement_id{static_cast<std::uint32_t>(random_())};
    }

    /// Whether a notification may go out at once, along with a commit.
    bool may_lead(time_point now) const noexcept
    {
        const bool crowded = follows(now) && following_ > without_pause;
        return now >= next_allowed_ &&
               (!crowded || now >= led_ + waits_between * (commit_ - quickest_));
    }
    /// It did, allowed or not.
    void led(time_point now) noexcept
    {
        next_allowed_ = std::clamp(next_allowed_, now - interval, now) + interval;
        led_ = now;
    }

    /// A commit is made up that may take along what waits, or leave it to the one that follows.
    void commits(time_point now) noexcept
    {
        following_ += ((follows(now) ? 1.0 : 0.0) - following_) / 8;
        next_commit_ = now + 4 * commit_; // it has most likely been confirmed by then
    }
    /// One was confirmed so long after it was made up.
    void committed(time_point now, duration took)
    {
        took = std::min<duration>(took, longest_commit);
        quickest_ =
            commit_ == duration{} ? took : std::min(took, quickest_ + (commit_ - quickest_) / 64);
        commit_ += (took - commit_) / 8;
        commit_ = std::max(commit_, quickest_);
        ended(now + commit_ / 2);
    }
    /// One failed.
    void failed(time_point now) { ended(now); }

    /// When what went along with a commit is to be said by itself.
    time_point overdue(time_point since) const noexcept
    {
        return since + std::max<duration>(longest_ride, 4 * commit_);
    }

    /// Whether a commit should take along what there is to say. Who has no room, and who is there,
    /// is said by itself: a commit may arrive late, or twice.
    bool rides(time_point now) const noexcept { return (is_urgent(now) || held_) && may_ride(); }
    /// Whether it waits for something else to be said.
    bool is_held() const noexcept { return held_; }

    /// It goes along with a commit from now on, under its number.
    void boards(store::announcement_id which)
    {
        riding_.push_back(which);
        if (on_urge_) on_urge_(); // it may become overdue
    }
    void alights(store::announcement_id which) { std::erase(riding_, which); }
    bool is_riding(store::announcement_id which) const
    {
        return std::ranges::find(riding_, which) != riding_.end();
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

    /// When the next notification is to be sent by itself; nothing: there is nothing that anybody
    /// waits for.
    std::optional<time_point> next() const noexcept
    {
        if (!wanted_) return std::nullopt;
        const time_point allowed = std::max(*wanted_, next_allowed_);
        return may_ride() ? std::max(allowed, next_commit_) : allowed;
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
    /// Whether a commit made up now follows another without a pause.
    bool follows(time_point now) const noexcept { return now < next_commit_; }

    bool may_ride() const noexcept
    {
        return pending_.passed.empty() && pending_.joined.empty() && pending_.left.empty() &&
               pending_.finished.size() + pending_.withdrawn.size() <= most_along;
    }

    void ended(time_point next)
    {
        next_commit_ = std::min(next_commit_, next);
        if (wanted_ && on_urge_) on_urge_();
    }

    std::mt19937 random_;
    store::announcement pending_;
    std::vector<store::announcement_id> riding_;
    std::optional<time_point> wanted_;
    bool held_ = false;
    time_point next_allowed_{};
    time_point led_{};
    time_point next_commit_{}; // another commit follows by then, if any does
    duration commit_{};        // how long one takes: a moving average
    duration quickest_{};      // how long the quickest of the last ones took, more or less
    double following_ = 0.0;   // which share follows without a pause: a moving average
    std::function<void()> on_urge_;
};

} // namespace perdure
