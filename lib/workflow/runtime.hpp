// One run in memory: its coroutines, what they wait for, and the queue in which they become ready.
#pragma once

#include "command_log.hpp"
#include "operation_state.hpp"

#include <perdure/workflow/decision.hpp>
#include <perdure/workflow/detail/cancel_scope.hpp>
#include <perdure/workflow/detail/completion.hpp>
#include <perdure/workflow/detail/link.hpp>
#include <perdure/workflow/event.hpp>
#include <perdure/workflow/implementation.hpp>
#include <perdure/workflow/instance_info.hpp>
#include <perdure/workflow/payload.hpp>
#include <perdure/workflow/spawned.hpp>
#include <perdure/workflow/timestamp.hpp>

#include <boost/uuid/uuid.hpp>

#include <coroutine>
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
    bool running() const noexcept
    {
        return !closing_ && !finish_ && !log_.mismatch() && overrun_ == overrun::none;
    }
    bool replaying() const noexcept { return log_.checking(); }

    timestamp now() const noexcept { return now_; }
    const instance_info& info() const noexcept { return info_; }
    boost::uuids::uuid next_uuid();
    std::uint64_t next_random();
    std::int32_t next_operation() noexcept { return ++operations_; }

    /// Emits a command; command_log::emit says what comes back.
    const event* emit(
        event_type type, std::int32_t operation, std::string_view name = {}, payload data = {},
        std::optional<timestamp> due = {});

    void schedule(
        std::int32_t number, const untyped_activity_call& call,
        std::shared_ptr<activity_operation> operation);
    void cancel_activity(std::int32_t number);
    void start_timer(std::shared_ptr<timer_operation> timer);
    void stop_timer(const timer_operation& timer);
    std::optional<payload> take_signal(std::string_view name);
    void wait_for_signal(std::string_view name, receive_operation& receiver);
    void end(finish how);

    /// Coroutines to resume, first in, first out.
    link& ready() noexcept { return ready_; }

    /// Counts what an activation does; false when the run does not go on.
    bool take_step() noexcept;

    /// Numbers the completions of the run, from 1.
    std::uint64_t next_completion() noexcept { return ++completions_; }

    /// The scope that ends with the run.
    cancel_scope& scope() noexcept { return scope_; }
    bool cancel_requested() const noexcept { return scope_.cancelled(); }

    void add_interruptible(interruptible_link& waiting) noexcept
    {
        interruptible_.push_back(waiting);
    }

    /// The code sees that it is cancelled.
    void note_interruption() noexcept { request_seen_ = request_seen_ || cancel_requested(); }

    /// Interrupts the waits whose scope was cancelled, in the order in which they began.
    void interrupt_cancelled();

    /// Spawned tasks are kept, under numbers in their order, until they have ended.
    std::uint64_t keep(std::shared_ptr<spawned_state> task);
    std::shared_ptr<spawned_state> forget(std::uint64_t number);

    /// A frame that has ended, but is still on the stack.
    void destroy_later(std::coroutine_handle<> ended) { ended_.push_back(ended); }

    // What drives it.

    command_log& log() noexcept { return log_; }

    /// An activation begins: the time its code sees, which never goes backwards.
    void begin_activation(timestamp now) noexcept
    {
        now_ = std::max(now_, now);
        steps_ = 0;
    }

    /// Why the code was stopped in the middle of an activation.
    enum class overrun : unsigned char
    {
        none,
        steps,   ///< it took too many steps
        commands ///< it emitted more than any history may hold
    };
    overrun overran() const noexcept { return overrun_; }

    /// Delivers an event that arrived, then resumes coroutines until none is ready.
    void deliver(const event& arrived);

    /// The first timer, by due time and number, that is due: never one that was started in this
    /// activation, since a timer's time is later than now.
    std::optional<std::pair<timestamp, std::int32_t>> due_timer() const;

    std::optional<timestamp> next_timer() const;
    const std::optional<finish>& finished() const noexcept { return finish_; }
    std::vector<scheduled_activity> take_scheduled();
    std::vector<std::int32_t> take_cancelled() noexcept { return std::exchange(cancelled_, {}); }

private:
    /// Signals of one name: those that nobody has received, or those who wait for one; never both.
    struct mailbox
    {
        std::deque<payload> signals;
        link receivers;
    };

    boost::uuids::uuid make_uuid(std::uint64_t number) const;
    void start(const event& started);
    void complete_activity(const event& arrived);
    void fire_timer(const event& arrived);
    void deliver_signal(const event& arrived);
    void carry(const event& arrived);
    void drain();
    void destroy_ended() noexcept;
    void end_with_root();

    std::shared_ptr<const workflow_implementation> implementation_;
    instance_info info_;
    timestamp now_{};
    timestamp started_at_{};
    std::int32_t operations_ = 0;
    std::uint64_t uuids_ = 0;
    std::optional<std::uint64_t> random_; // the state of the sequence, once it has begun
    std::uint64_t completions_ = 0;
    std::uint64_t spawns_ = 0;
    std::int32_t steps_ = 0; // of this activation
    overrun overrun_ = overrun::none;
    bool closing_ = false;
    bool request_seen_ = false; // something was interrupted because the instance was to end
    cancel_scope scope_{*this};
    std::optional<finish> finish_;
    command_log log_;
    std::map<std::int32_t, scheduled_activity> scheduled_; // by this activation
    std::vector<std::int32_t> cancelled_; // activities that earlier activations scheduled
    std::unordered_map<std::int32_t, std::shared_ptr<activity_operation>> activities_;
    std::map<std::int32_t, std::shared_ptr<timer_operation>> timers_;
    std::set<std::pair<timestamp, std::int32_t>> due_; // the same timers, by time
    std::map<std::string, mailbox, std::less<>> mailboxes_;
    link ready_;
    link interruptible_;
    std::vector<std::coroutine_handle<>> ended_;
    std::map<std::uint64_t, std::shared_ptr<spawned_state>> spawned_;
    std::unique_ptr<workflow_root> root_; // last: its frames hold nodes of the lists above
};

} // namespace perdure::detail
