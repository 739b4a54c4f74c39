// One run in memory: its coroutines, what they wait for, and the queue in which they become ready.
#pragma once

#include "command_log.hpp"
#include "operation_state.hpp"

#include <perdure/workflow/decision.hpp>
#include <perdure/workflow/detail/link.hpp>
#include <perdure/workflow/event.hpp>
#include <perdure/workflow/implementation.hpp>
#include <perdure/workflow/instance_info.hpp>
#include <perdure/workflow/payload.hpp>
#include <perdure/workflow/timestamp.hpp>

#include <boost/uuid/uuid.hpp>

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace perdure::detail {

class runtime
{
public:
    runtime(std::shared_ptr<const workflow_implementation> implementation, instance_info info);
    runtime(const runtime&) = delete;
    runtime& operator=(const runtime&) = delete;
    ~runtime();

    // What the context and its operations use.

    /// Whether coroutines are resumed and commands are taken: the run has not ended, its code has
    /// not left its history, and its frames are not being destroyed.
    bool running() const noexcept { return !closing_ && !finish_ && !log_.mismatch(); }
    bool replaying() const noexcept { return log_.checking(); }

    timestamp now() const noexcept { return now_; }
    const instance_info& info() const noexcept { return info_; }
    boost::uuids::uuid next_uuid();
    std::int32_t next_operation() noexcept { return ++operations_; }

    /// Emits a command; command_log::emit says what comes back.
    const event* emit(
        event_type type, std::int32_t operation, std::string_view name = {}, payload data = {},
        std::optional<timestamp> due = {});

    void schedule(std::shared_ptr<activity_operation> operation, const untyped_activity_call& call);
    void start_timer(std::shared_ptr<timer_operation> timer);
    void stop_timer(const timer_operation& timer);
    std::optional<payload> take_signal(std::string_view name);
    void wait_for_signal(std::string_view name, receive_operation& receiver);
    void end(finish how);

    /// Coroutines to resume, first in, first out.
    link& ready() noexcept { return ready_; }

    // What drives it.

    command_log& log() noexcept { return log_; }

    /// An activation begins: the time its code sees, which never goes backwards.
    void begin_activation(timestamp now) noexcept { now_ = std::max(now_, now); }

    /// Delivers an event that arrived, then resumes coroutines until none is ready.
    void deliver(const event& arrived);

    /// The first timer, by due time and number, that is due: never one that was started in this
    /// activation, since a timer's time is later than now.
    std::optional<std::pair<timestamp, std::int32_t>> due_timer() const;

    std::optional<timestamp> next_timer() const;
    const std::optional<finish>& finished() const noexcept { return finish_; }
    std::vector<scheduled_activity> take_scheduled() noexcept
    {
        return std::exchange(scheduled_, {});
    }

private:
    /// Signals of one name: those that nobody has received, or those who wait for one; never both.
    struct mailbox
    {
        std::deque<payload> signals;
        link receivers;
    };

    void start(const event& started);
    void complete_activity(const event& arrived);
    void fire_timer(const event& arrived);
    void deliver_signal(const event& arrived);
    void drain();
    void end_with_root();

    std::shared_ptr<const workflow_implementation> implementation_;
    instance_info info_;
    timestamp now_{};
    timestamp started_at_{};
    std::int32_t operations_ = 0;
    std::uint64_t uuids_ = 0;
    bool closing_ = false;
    std::optional<finish> finish_;
    command_log log_;
    std::vector<scheduled_activity> scheduled_;
    std::unordered_map<std::int32_t, std::shared_ptr<activity_operation>> activities_;
    std::map<std::int32_t, std::shared_ptr<timer_operation>> timers_;
    std::set<std::pair<timestamp, std::int32_t>> due_; // the same timers, by time
    std::map<std::string, mailbox, std::less<>> mailboxes_;
    link ready_;
    std::unique_ptr<workflow_root> root_; // last: its frames hold nodes of the lists above
};

} // namespace perdure::detail
