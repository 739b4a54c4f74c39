// What clients ask for and get: instances, signals, states and results.
#pragma once

#include <perdure/config.hpp>
#include <perdure/store/identifiers.hpp>

#include <perdure/workflow/decision.hpp>
#include <perdure/workflow/payload.hpp>
#include <perdure/workflow/timestamp.hpp>

#include <boost/uuid/uuid.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace perdure::store {

/// An instance to create. Ids, names and sizes are checked by the caller: see
/// perdure/workflow/checks.hpp.
struct new_instance
{
    std::string id;
    std::string workflow;
    std::string queue;
    payload arguments; ///< a JSON array
    payload metadata;  ///< comes back with every task and state; may be empty
    /// Drawn once for each start and sent again with every repetition of it, so that it happens
    /// once.
    boost::uuids::uuid start_key{};
};

/// What came of a start.
struct created
{
    instance_key instance{};
    std::int32_t run = 1;
    enum class status
    {
        created,        ///< `instance` is new
        repeated,       ///< `instance` was created by an earlier start with this key
        already_exists, ///< nothing was created: `instance` has the id, and was active
        rejected        ///< nothing was created: `reason` says why
    } status = status::created;
    std::string reason; ///< rejected: the server's words
};

/// A signal to send.
struct signal_request
{
    std::string id; ///< of the instance that is active
    std::string name;
    payload data;
    /// Drawn once for each signal and sent again with every repetition of it, so that it arrives
    /// once.
    boost::uuids::uuid key{};
};

/// A request that an instance should end. It is an event that the instance looks at, as a signal
/// is; what it does then is up to its code.
struct cancel_request
{
    std::string id; ///< of the instance that is active
    /// As a signal's.
    boost::uuids::uuid key{};
};

/// What became of a signal or a request to cancel.
enum class signal_status
{
    delivered, ///< the instance will see it, unless it finishes without looking
    repeated,  ///< an earlier one with this key was delivered
    not_found, ///< no active instance has the id
    rejected   ///< nothing was delivered: the reason says why
};

/// What came of a signal or a request to cancel.
struct signalled
{
    signal_status status = signal_status::not_found;
    std::string reason; ///< rejected: the server's words
};

/// What came of removing what an id has left.
enum class removal
{
    removed,      ///< every finished instance of the id is gone
    not_found,    ///< there is none, finished or active
    not_finished, ///< nothing was removed: an instance of the id is active
    busy ///< nothing was removed: a worker still runs an activity of it, which was told to stop
};

/// What becomes of an instance.
enum class instance_status : std::int16_t
{
    running = 0,
    completed = 1,
    failed = 2,
    cancelled = 3
};

/// `running`, `completed`, `failed` or `cancelled`.
PERDURE_DECL std::string_view to_string(instance_status) noexcept;

/// The status of such a name; nothing for any other text.
PERDURE_DECL std::optional<instance_status> parse_instance_status(std::string_view name) noexcept;

/// What is known of an instance.
struct instance_state
{
    instance_key instance{};
    std::string id;
    std::string workflow;
    std::string queue;
    instance_status status = instance_status::running;
    std::int32_t run = 1;
    std::int32_t history_length = 0; ///< events of the current or last run
    std::int64_t history_bytes = 0;  ///< of the payloads in them
    std::int64_t pending_events = 0; ///< that arrived and were not looked at
    std::string problem;             ///< why it does not get on; empty while it does
    timestamp created_at{};
    std::optional<timestamp> finished_at;
    payload metadata;
};

/// Which instances to list. Newest first.
struct list_request
{
    std::optional<instance_status> status;
    std::optional<std::string> workflow;
    std::optional<std::string> queue;
    std::optional<instance_key> before; ///< goes on where a page ended: its last instance
    std::int32_t limit = 100;
};

/// How an instance ended, or that it is no more.
struct instance_result
{
    instance_key instance{};
    bool removed = false; ///< the database does not know it (any more); nothing else is set
    enum finish::kind kind = finish::kind::completed; ///< completed, failed or cancelled
    payload data;                                     ///< the result, or the failure document
};

/// A part of a run's history.
struct history_page
{
    std::int32_t after = 0;            ///< without the first so many events
    std::optional<std::int32_t> limit; ///< most events; without it all that follow
};

/// What is pending on a queue.
struct queue_statistics
{
    std::string queue;
    /// Instances that a worker runs, or could run now. Those that wait for an activity or a signal,
    /// or sleep until a timer or their next try, are not counted.
    std::int64_t workflow_tasks = 0;
    /// Activities that are not finished: waiting, running, or waiting for their next attempt.
    std::int64_t activity_tasks = 0;
};

/// How much there is to do.
struct statistics
{
    std::int64_t active_instances = 0;
    std::vector<queue_statistics> queues; ///< those that have tasks, by name
};

} // namespace perdure::store
