// One line of an instance's history. A history is all there is of an instance: whoever replays it
// has the instance again.
#pragma once

#include <perdure/config.hpp>
#include <perdure/workflow/payload.hpp>
#include <perdure/workflow/timestamp.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace perdure {

/** What an event says. The names are durable: they are stored as text.
 *
 *  Some events *arrive*, from outside or because a timer is due; the others are *commands*, which
 * the workflow's code emits in answer; `workflow_task` stands between them.
 */
enum class event_type : std::uint8_t
{
    workflow_started,   ///< arrives: a run begins; data: its arguments
    workflow_task,      ///< the code ran on the events before this one; at: what it saw as the time
    activity_scheduled, ///< command: run an activity; name, data: its arguments
    activity_completed, ///< arrives: an activity's value, in data
    activity_failed,    ///< arrives: an activity's failure document, in data
    timer_started,      ///< command: due says when it fires
    timer_fired,        ///< arrives: a timer was due
    timer_cancelled,    ///< command: the timer of this operation is no longer waited for
    signal_received,    ///< arrives: name and value of a signal
    side_effect,        ///< command: a value computed once, in data
    workflow_completed, ///< command, the last one: the result, in data
    workflow_failed,    ///< command, the last one: the failure document, in data
    workflow_continued, ///< command, the last one: the next run's workflow (name) and arguments
                        ///< (data)
    cancel_requested,   ///< arrives: somebody asked the instance to end
    activity_cancelled, ///< command: the activity of this operation is no longer wanted
    workflow_cancelled  ///< command, the last one: the cancellation left the code; its failure
                        ///< document, in data
};

/// The durable name of an event type, for example `activity_scheduled`.
PERDURE_DECL std::string_view to_string(event_type) noexcept;

/** The event type of a durable name.
 *  \returns nothing for a name that this version of the library does not know.
 */
PERDURE_DECL std::optional<event_type> parse_event_type(std::string_view name) noexcept;

/// Whether the workflow's code emits events of this type.
PERDURE_DECL bool is_command(event_type) noexcept;

/** One event of a history.
 *
 *  In a history an activation is: the events that arrived, in order; one `workflow_task`; the
 * commands the code emitted, in order. `operation` ties a command to what became of it: commands
 * that start something are numbered from 1 in the order of their emission, anew in each run.
 */
struct event
{
    event_type type = event_type::workflow_task;
    std::int32_t operation = 0; ///< the operation's number; 0 for events that belong to none
    std::string name;           ///< of the workflow, activity or signal; else empty
    payload data;               ///< arguments (a JSON array), value or failure document
    timestamp at{};             ///< when it happened; of a command: the time its workflow task saw
    std::optional<timestamp> due; ///< when the timer fires; only for timer_started

    friend bool operator==(const event&, const event&) = default;
};

/// One event as a line for people: type, operation and name, for example `activity_scheduled #3
/// charge`.
PERDURE_DECL std::string describe(const event&);

} // namespace perdure
