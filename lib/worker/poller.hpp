// The loop that claims tasks of one kind and starts them.
#pragma once

#include <engine/engine_core.hpp>
#include <worker/backoff.hpp>
#include <worker/slots.hpp>

#include <boost/asio/awaitable.hpp>

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace perdure {

/// Claims tasks whenever there is room and parks when there are none.
///
/// A claim that came back short says when the next task is due; until then only a wake-up makes the
/// poller look again. A due instant that is already past means that somebody holds the row and may
/// give it back silently, so the poller looks again after 5 ms, doubling to a second.
template <class Task>
class poller : public std::enable_shared_from_this<poller<Task>>
{
public:
    using time_point = std::chrono::steady_clock::time_point;
    using claim_function =
        std::function<boost::asio::awaitable<store::claimed<Task>>(store::claim_request)>;
    /// Starts a task that was claimed, in a slot of each of the bounds that it needs; the lease is
    /// counted from `asked`, before the claim was sent.
    using start_function = std::function<void(Task, time_point asked)>;

    /// \param bounds the slots that a claim must not exceed: each of its tasks takes one of the
    ///     first, and may need one of the others.
    poller(
        std::shared_ptr<engine_core> engine, task_kind kind, std::vector<std::string> queues,
        std::vector<std::shared_ptr<slots>> bounds, std::chrono::milliseconds lease,
        claim_function claim, start_function start)
        : engine_{std::move(engine)},
          queues_{std::move(queues)},
          bounds_{std::move(bounds)},
          lease_{lease},
          claim_{std::move(claim)},
          start_{std::move(start)},
          wake_{engine_->executor()}
    {
        place_ = engine_->hub().pollers().watch(kind, queues_, wake_);
    }

    boost::asio::awaitable<void> run()
    {
        while (!stopping_) {
            wake_.clear(); // before looking: a wake-up in between is kept
            const std::size_t free = std::min(room(), most_per_claim());
            if (free == 0) {
                co_await wait_for_room();
                continue;
            }
            place_->room(true);
            place_->look();
            const time_point asked = std::chrono::steady_clock::now();
            store::claimed<Task> claimed;
            std::exception_ptr failure;
            try {
                store::claim_request request;
                request.queues = queues_;
                if (engine_->hub().path() == notification_path::up)
                    request.marks = place_->marks(queues_);
                request.limit = static_cast<std::int32_t>(free);
                request.lease = lease_;
                asked_for_ = free;
                claimed = co_await claim_(std::move(request));
            } catch (const pg::error&) {
                failure = std::current_exception();
            }
            asked_for_ = 0;
            if (failure) {
                if (engine_->is_shut_down()) std::rethrow_exception(failure);
                engine_->database_failed("cannot claim tasks", failure);
                place_->room(false); // meanwhile others look
                co_await wake_.rest_until(std::chrono::steady_clock::now() + trouble_.next());
                continue;
            }
            trouble_.reset();
            engine_->check_thread();
            engine_->database_answers();
            std::rotate(queues_.begin(), queues_.begin() + 1, queues_.end());
            place_->seen(claimed.due, claimed.looked_at);
            engine_->hub().observe_clock(claimed.now);
            const std::size_t count = claimed.tasks.size();
            for (Task& task : claimed.tasks) start_(std::move(task), asked);
            const bool more =
                count == free && claimed.next_due && *claimed.next_due <= claimed.looked_at;
            caught_up_ = !more;
            if (!more)
                place_->found_all(count > 0, claimed.due);
            else if (room() == 0)
                place_->left_some();
            place_->room(room() > 0);
            if (more || room() == 0) continue;
            co_await wake_.wait_until(next_look(claimed));
        }
        place_.reset(); // who drains is not waited for
    }

    void stop()
    {
        stopping_ = true;
        wake_.raise();
    }

    /// A slot was freed.
    void freed()
    {
        if (waits_for_room_ && room() > 0) wake_.raise();
    }

    /// How many tasks of a queue may take slots without having been looked for, claimed as they
    /// come into being: all that no claim under way may fill. While older ones may wait, half of the
    /// slots are kept for them.
    std::size_t eager_room(std::string_view queue) const noexcept
    {
        if (stopping_ || std::ranges::find(queues_, queue) == queues_.end()) return 0;
        std::size_t beside = room();
        beside -= std::min(beside, asked_for_);
        if (!caught_up_)
            for (const auto& each : bounds_) beside = std::min(beside, each->free_of_half());
        return beside;
    }

    /// Such tasks have taken slots.
    void taken()
    {
        if (room() == 0) wake_.raise(); // it says so to others
    }

private:
    /// Half of the slots, so that what is claimed as it comes into being finds some that are not
    /// promised; and no more than one answer should hold.
    std::size_t most_per_claim() const noexcept
    {
        std::size_t half = 500;
        for (const auto& each : bounds_) half = std::min(half, each->half());
        return std::max<std::size_t>(half, 1);
    }

    std::size_t room() const noexcept
    {
        std::size_t room = bounds_.front()->free();
        for (const auto& each : bounds_) room = std::min(room, each->free());
        return room;
    }

    /// What becomes due meanwhile is for others.
    boost::asio::awaitable<void> wait_for_room()
    {
        place_->room(false);
        place_->pass_due();
        waits_for_room_ = true;
        caught_up_ = false; // what comes now waits
        co_await wake_.wait_until(time_point::max());
        waits_for_room_ = false;
    }

    time_point next_look(const store::claimed<Task>& claimed)
    {
        const time_point deadline = engine_->hub().deadline();
        if (claimed.next_due && *claimed.next_due <= claimed.looked_at)
            return std::min(deadline, std::chrono::steady_clock::now() + held_by_another_.next());
        held_by_another_.reset();
        return deadline; // what is due later wakes at its instant
    }

    std::shared_ptr<engine_core> engine_;
    std::vector<std::string> queues_;
    std::vector<std::shared_ptr<slots>> bounds_;
    std::chrono::milliseconds lease_;
    claim_function claim_;
    start_function start_;
    wake_flag wake_;
    std::unique_ptr<lookout> place_;
    backoff trouble_{std::chrono::milliseconds{100}, std::chrono::milliseconds{5000}};
    backoff held_by_another_{std::chrono::milliseconds{5}, std::chrono::milliseconds{1000}};
    std::size_t asked_for_ = 0; // slots that the claim under way may fill
    bool caught_up_ = false;    // the last claim left nothing
    bool waits_for_room_ = false;
    bool stopping_ = false;
};

} // namespace perdure
