// Extends the leases of everything this worker holds, and says when one was lost.
#pragma once

#include <engine/engine_core.hpp>

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>

namespace perdure {

/// Why an activity that still runs has to stop.
enum class stop_reason
{
    lease_lost,
    handing_back
};

/// The leases a worker holds, counted on its steady clock from before each request was sent.
class lease_keeper : public std::enable_shared_from_this<lease_keeper>
{
public:
    using time_point = std::chrono::steady_clock::time_point;

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
        /// False once the store said that the token is no longer the row's.
        bool lost() const noexcept { return lost_ && *lost_; }
        /// Whether an effect may still be started: less than four fifths of the lease have passed.
        bool fresh() const noexcept;

    private:
        friend class lease_keeper;
        std::shared_ptr<lease_keeper> keeper_;
        task_kind kind_ = task_kind::workflow;
        std::int64_t row_ = 0;
        std::shared_ptr<bool> lost_;
    };

    held hold(const store::workflow_task& task, time_point asked);
    /// \param stop called at most once, when the lease was lost or the task is to be handed back.
    held hold(
        const store::activity_task& task, time_point asked, std::function<void(stop_reason)> stop);

    /// Tells every activity that still runs to stop.
    void stop_all(stop_reason reason);

    /// Extends every third of a lease, until stopped.
    boost::asio::awaitable<void> run();
    void stop();

private:
    struct entry
    {
        store::instance_key instance{};
        store::claim_token token{};
        time_point asked{};
        std::shared_ptr<bool> lost = std::make_shared<bool>(false);
        std::function<void(stop_reason)> stop;
        bool settling = false;
    };
    using entries = std::map<std::int64_t, entry>;

    held hold(task_kind kind, std::int64_t row, entry kept);
    entries& of(task_kind kind) noexcept
    {
        return kind == task_kind::workflow ? workflows_ : activities_;
    }
    boost::asio::awaitable<void> extend_workflows();
    boost::asio::awaitable<void> extend_activities();
    void note(
        task_kind kind, std::int64_t row, store::claim_token token, time_point asked,
        store::extension outcome);

    std::shared_ptr<engine_core> engine_;
    std::chrono::milliseconds lease_;
    entries workflows_;  // by instance
    entries activities_; // by task id
    wake_flag wake_;
    bool stopping_ = false;
};

} // namespace perdure
