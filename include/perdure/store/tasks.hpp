// What a worker claims: tasks, and the leases it holds on them.
#pragma once

#include <perdure/store/identifiers.hpp>

#include <perdure/workflow/activity_options.hpp>
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

/// What to claim.
struct claim_request
{
    /// Queues, looked at in this order until `limit` is reached. Rotate them from claim to claim,
    /// or the last ones starve while the first are full.
    std::vector<std::string> queues;
    /// For each of them an instant before which nothing is looked for, since no row there has an
    /// earlier `visible_at`: what was deleted there, and is still seen by a long transaction, need
    /// not be read. Missing: everything is looked at.
    std::vector<timestamp> marks;
    /// Most tasks to claim, at least 1.
    std::int32_t limit = 1;
    /// How long they belong to the claimant without an extension, counted by the database from the
    /// claim. The claimant counts it from before it asked.
    std::chrono::milliseconds lease = defaults::lease;
};

/// When a queue is to be looked at again.
struct queue_due
{
    std::string queue;
    /// Of its earliest row from the mark on; nothing: it has none.
    std::optional<timestamp> visible_at;
};

/// What was claimed, and when to look again.
template <class T>
struct claimed
{
    std::vector<T> tasks;
    /// Of each queue that was asked for.
    std::vector<queue_due> due;
    /// The earliest of them: the instant at which a row of these queues may be claimed, leases that end included
    /// (this claim's own too); nothing when the queues are empty. An instant that was past when
    /// the claim looked means that another transaction holds the row just now and may put it back
    /// without a word, or that there are more rows than were asked for.
    std::optional<timestamp> next_due;
    /// The database's clock, after the claim.
    timestamp now{};
    /// What was visible then could be claimed.
    timestamp looked_at{};
};

/// An event that waits for its instance.
struct arrived_event
{
    std::int64_t number = 0; ///< of this instance, from 1 without gaps, in the order of the commits
    perdure::event event;
};

/// One instance that has something to do. It was claimed: nobody else runs it until the lease ends.
struct workflow_task
{
    instance_key instance{};
    std::string id;
    std::string workflow; ///< of the current run
    std::string queue;
    std::int32_t run = 1;
    std::int32_t history_length = 0; ///< events in this run's history
    std::int64_t history_bytes = 0;  ///< of the payloads in this run's history
    std::int32_t attempt = 1; ///< claims in a row without a completion, this one included; advisory
    claim_token token{};
    timestamp claimed_at{};                ///< the database's clock, after the claim
    std::optional<claim_token> last_token; ///< of the last completed task, if there was one
    std::vector<arrived_event> arrived;    ///< all that waits, in order
    /// The current run's history, if no task of the instance was completed yet; else empty: see
    /// `store::load_history`.
    std::vector<event> history;
    payload metadata; ///< as given when the instance was created
    /// Why this version of the library cannot read it, such as an event that a newer one wrote; the
    /// events are not complete then. It is to be given back with this problem, for a worker that
    /// can. Empty: it can be run.
    std::string problem;
};

/// One attempt of an activity. It was claimed: nobody else runs it until the lease ends.
struct activity_task
{
    std::int64_t id = 0;
    instance_key instance{};
    std::string instance_id;
    std::string workflow_queue; ///< where the result makes a task
    std::string queue;
    std::string name;
    std::int32_t run = 1;
    std::int32_t operation = 0;
    std::int32_t attempt = 1; ///< advisory: after a crash of the database a number may come twice
    payload arguments;        ///< a JSON array
    activity_options options;
    claim_token token{};
    /// Who kept the live coroutine of its instance when it was claimed, if anybody did: the result is
    /// for him first.
    std::optional<member_id> holder;
    /// Why this version of the library cannot run it, as a workflow task's: the options are not
    /// read then.
    std::string problem;
};

/// A workflow task that is held.
struct workflow_lease
{
    instance_key instance{};
    claim_token token{};
};

/// An activity task that is held.
struct activity_lease
{
    instance_key instance{};
    std::int64_t id = 0;
    claim_token token{};
};

/// What an extension came to.
enum class extension
{
    held,      ///< the lease is extended
    cancelled, ///< the lease is extended, but the activity is no longer wanted: it should stop
    lost, ///< the row is gone or has another token: somebody else has the task, or it is completed
    busy  ///< another transaction is changing the row just now (perhaps the holder's own
          ///< completion); nothing was changed, and the lease runs on as it was
};

} // namespace perdure::store
