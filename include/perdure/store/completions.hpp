// What a worker reports of the tasks it claimed, and what came of the report.
#pragma once

#include <perdure/store/identifiers.hpp>
#include <perdure/store/tasks.hpp>

#include <perdure/workflow/decision.hpp>
#include <perdure/workflow/defaults.hpp>
#include <perdure/workflow/event.hpp>
#include <perdure/workflow/payload.hpp>
#include <perdure/workflow/timestamp.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace perdure::store {

/// What came of a report.
enum class completion_status
{
    confirmed,  ///< it is durable
    lease_lost, ///< the task was not the reporter's any more; nothing was changed
    rejected    ///< the server refuses what is in it; nothing was changed
};

/// A workflow task that was run: everything here is stored in one transaction, or nothing.
struct workflow_completion
{
    instance_key instance{};
    std::string id;
    std::string queue; ///< of the workflow: where its next task will be, and activities without one
    claim_token token{};
    /// What the task is claimed under if it goes on at once; see `workflow_completed::more`.
    claim_token next_token{};
    std::int32_t run = 1;
    std::int32_t history_length = 0;    ///< before this completion
    std::vector<std::int64_t> consumed; ///< numbers of the arrived events that `events` holds
    std::vector<event> events;          ///< to append
    std::vector<scheduled_activity> activities;
    /// Places in `activities`, ascending, of those that the reporter runs itself, at once (eager
    /// dispatch): they are inserted claimed, under `eager_token` and for `lease`, and others are told
    /// only when that ends. Of no account when the run has ended: no activity is inserted then.
    std::vector<std::size_t> eager;
    claim_token eager_token{};
    /// Operations of activities, scheduled earlier, that are no longer wanted: those that nobody
    /// runs are deleted, the others learn of it with their next extension.
    std::vector<std::int32_t> cancelled_activities;
    std::optional<timestamp> next_timer;
    std::optional<perdure::finish> finish;
    /// Who keeps the live coroutine, and should look first for what arrives.
    std::optional<member_id> holder;
    /// The new lease of a task that goes on, and of the activities that are claimed with it.
    std::chrono::milliseconds lease = defaults::lease;

    /// Where an activity of it is to run.
    const std::string& queue_of(const scheduled_activity& activity) const noexcept
    {
        return activity.options.queue() ? *activity.options.queue() : queue;
    }
};

/// What came of a `workflow_completion`.
struct workflow_completed
{
    completion_status status = completion_status::confirmed;
    std::string reason; ///< rejected: the server's words
    /// Events arrived meanwhile: the task stays claimed, under the completion's next token, and
    /// goes on with `arrived`. Always false for a run that ended; the next run of one that was
    /// continued is a task like any other. Also false when this version of the library cannot read
    /// one of them: the task is left to its lease then, and says so to whoever claims it next.
    bool more = false;
    std::vector<arrived_event> arrived;
    /// The activities that were claimed with it, and still are. Their leases are counted from before
    /// the completion was handed in.
    std::vector<activity_task> claimed;
    timestamp now{}; ///< the database's clock, when confirmed
};

/// Gives a workflow task back as it was.
struct workflow_release
{
    instance_key instance{};
    std::string queue;
    claim_token token{};
    std::chrono::milliseconds delay{0}; ///< until it may be claimed again
    std::string problem;       ///< shown by the instance's state; empty: leaves what is there
    bool count_attempt = true; ///< whether this claim counts as an attempt
};

/// Whoever brings an activity's result goes on with the workflow itself (eager dispatch): it claims
/// the task that the result wakes, in the same transaction. Nothing is claimed that somebody holds
/// whose lease has not ended, or that has to wait, nor where more than a hundred events are to be
/// read.
struct eager_claim
{
    claim_token token{}; ///< drawn for this claim
    /// Of the commit at which the claimant's live coroutine stands; nothing is claimed if there was
    /// a later one.
    claim_token live{};
    std::chrono::milliseconds lease = defaults::lease; ///< counted by the database from the claim
};

/// How an attempt of an activity ended.
struct activity_completion
{
    std::int64_t id = 0;
    instance_key instance{};
    std::int32_t run = 1;
    std::int32_t operation = 0;
    std::string name;
    std::string workflow_queue;
    std::string queue;
    claim_token token{};
    std::optional<member_id> holder; ///< as the task's
    enum class outcome
    {
        completed, ///< data is the value
        failed,    ///< data is the failure document
        retry,     ///< another attempt after `delay`
        release    ///< back as it was after `delay`, the attempt not counted
    } outcome = outcome::completed;
    payload data;
    std::chrono::milliseconds delay{0};
    std::string problem; ///< retry, release: shown by the instance's state; empty: leaves it
    /// completed, failed: the workflow task is claimed along with it, and others are told only when
    /// the lease ends. Of several results of one instance in a batch the first claim counts, for
    /// all. Nothing: the task is for whoever looks first.
    std::optional<eager_claim> eager;

    /// Whether the workflow hears of it.
    bool is_result() const noexcept
    {
        return outcome == outcome::completed || outcome == outcome::failed;
    }
};

/// What came of an `activity_completion`.
struct activity_completed
{
    completion_status status = completion_status::confirmed;
    std::string reason; ///< rejected: the server's words
    /// Confirmed, but nobody waited for it: its instance has finished or is in a later run.
    bool dropped = false;
    /// The workflow task that was claimed with it, and still is, without a history. Its lease is
    /// counted from before the completion was handed in: little may be left of it if the database
    /// was away.
    std::optional<workflow_task> claimed;
};

} // namespace perdure::store
