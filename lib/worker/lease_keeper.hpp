// Extends the leases of everything this worker holds, and says when one was lost.
#pragma once

#include <engine/engine_core.hpp>

#include <perdure/workflow/defaults.hpp>

#include <boost/asio/awaitable.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <utility>

namespace perdure {

/// Why an activity that still runs has to stop.
enum class stop_reason
{
    lease_lost,
    handing_back,
    cancelled ///< nobody wants its result any more
};

/// What is known of one lease. May be asked on any thread; told on the executor.
class lease_state
{
public:
    using time_point = std::chrono::steady_clock::time_point;

    /// True once the store said that the token is no longer the row's.
    bool lost() const noexcept { return lost_; }
    /// Whether an effect may still be started: it was not lost, and less than four fifths of it
    /// have passed.
    bool fresh() const noexcept
    {
        return !lost_ && std::chrono::steady_clock::now() < usable_until_.load();
    }

    void held_from(time_point asked, std::chrono::milliseconds duration) noexcept
    {
        usable_until_ = asked + duration * defaults::lease_usable_percent / 100;
    }
    void lose() noexcept { lost_ = true; }

private:
    std::atomic<bool> lost_ = false;
    std::atomic<time_point> usable_until_{};
};

/// The leases a worker holds, counted on its steady clock from before each request was sent.
class lease_keeper : public std::enable_shared_from_this<lease_keeper>
{
public:
    using time_point = lease_state::time_point;

    lease_keeper(std::shared_ptr<engine_core> engine, std::chrono::milliseconds duration);

    /// A lease, kept from being claimed by others until it is destroyed or lost.
    class held
    {
    public:
        held() = default;
        held(held&& other) noexcept = default;
        held& operator=(held&& other) noexcept;
        ~held();

        /// The end of the task is being committed: from here on the commit says whether the lease
        /// still held.
        void settle();
        /// The task goes on under another token, whose lease is counted from `asked`.
        void renew(store::claim_token token, time_point asked);
        /// Whether an effect may still be started; see `lease_state::fresh`.
        bool fresh() const noexcept { return state_ && state_->fresh(); }
        /// For those who have to know it on another thread.
        std::shared_ptr<const lease_state> state() const noexcept { return state_; }

    private:
        friend class lease_keeper;
        std::shared_ptr<lease_keeper> keeper_;
        task_kind kind_ = task_kind::workflow;
        std::int64_t row_ = 0;
        std::shared_ptr<lease_state> state_;
    };

    held hold(const store::workflow_task& task, time_point asked);
    /// \param stop called when nobody wants the activity any more, and at most once when the lease
    ///     was lost or the task is to be handed back.
    held hold(
        const store::activity_task& task, time_point asked, std::function<void(stop_reason)> stop);

    /// How many leases it holds: of tasks that have neither ended nor been handed back.
    std::size_t count(task_kind kind) noexcept { return of(kind).size(); }

    /// Tells every activity that still runs to stop.
    void stop_all(stop_reason reason);

    /// Extends the leases of one kind every 30 % of a lease, until stopped; the other kind's do not
    /// wait for it. What could not be extended, or not in that time, is tried again after a quarter
    /// of it, on another connection if that one went silent. Those of activities whose instance has
    /// given up some are asked about at once.
    boost::asio::awaitable<void> run(task_kind kind);
    void stop();

private:
    /// Raised when an instance gives up activities.
    class withdrawal final : public wakeable
    {
    public:
        explicit withdrawal(wake_flag& keeper) : keeper_{keeper} {}

        void raise() override
        {
            raised_ = true;
            keeper_.raise();
        }
        void wake_at(time_point) override {} // nobody knows beforehand
        /// Whether it was raised since it was asked last.
        bool take() noexcept { return std::exchange(raised_, false); }

    private:
        wake_flag& keeper_;
        bool raised_ = false;
    };
    struct entry
    {
        store::instance_key instance{};
        store::claim_token token{};
        std::shared_ptr<lease_state> state = std::make_shared<lease_state>();
        std::function<void(stop_reason)> stop;
        bool settling = false;
        std::unique_ptr<withdrawal> withdrawn; // of activities only
        wake_hub::registration watching;       // raises it
    };
    using entries = std::map<std::int64_t, entry>;

    held hold(task_kind kind, std::int64_t row, entry kept, time_point asked);
    entries& of(task_kind kind) noexcept
    {
        return kind == task_kind::workflow ? workflows_ : activities_;
    }
    wake_flag& wake_of(task_kind kind) noexcept
    {
        return kind == task_kind::workflow ? wake_workflows_ : wake_activities_;
    }
    /// The entry of a lease that has not ended; the row may have been claimed again since.
    entry* find(const held& which) noexcept;
    boost::asio::awaitable<void> extend(task_kind kind, bool all, std::exception_ptr& failure);
    boost::asio::awaitable<void> extend_workflows();
    boost::asio::awaitable<void> extend_activities(bool all);
    void note(
        task_kind kind, std::int64_t row, store::claim_token token, time_point asked,
        store::extension outcome);

    std::shared_ptr<engine_core> engine_;
    std::chrono::milliseconds lease_;
    entries workflows_;  // by instance
    entries activities_; // by task id
    wake_flag wake_workflows_;
    wake_flag wake_activities_;
    bool stopping_ = false;
};

} // namespace perdure
