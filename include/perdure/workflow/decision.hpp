// What one activation of a workflow comes to: the events to append to its history, and what the
// store must do along with them.
#pragma once

#include <perdure/workflow/activity_options.hpp>
#include <perdure/workflow/event.hpp>
#include <perdure/workflow/payload.hpp>
#include <perdure/workflow/timestamp.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace perdure {

/// An activity that a workflow asked for.
struct scheduled_activity
{
    std::int32_t operation = 0; ///< the number its result must bring along
    std::string name;           ///< which activity
    payload arguments;          ///< a JSON array
    activity_options options;   ///< where, how long, how often
};

/// How a run ended.
struct finish
{
    /// Result, failure, or another run.
    enum class kind : std::uint8_t
    {
        completed, ///< data is the result
        failed,    ///< data is the failure document
        cancelled, ///< ended by its cancellation; data is the failure document
        continued  ///< the next run's workflow and arguments are in workflow and data
    } kind = kind::completed;
    payload data;
    std::string workflow;       ///< only for continued
    std::vector<event> carried; ///< only for continued: signals that were not received and a
                                ///< cancellation that was not seen, for the next run's history,
                                ///< right after its workflow_started
};

/** The outcome of \ref replayer::activate, to be stored in one transaction, or not at all.
 *
 *  `events` is empty when there was nothing to do: no event had arrived and no timer was due.
 */
struct decision
{
    std::vector<event> events; ///< to append, in history order, those that arrived included
    std::vector<scheduled_activity> activities; ///< to be run
    /// Operations of activities, scheduled by earlier activations, that are no longer wanted.
    std::vector<std::int32_t> cancelled_activities;
    std::optional<timestamp> next_timer; ///< the earliest timer still waited for
    std::optional<perdure::finish>
        finish; ///< set when the run has ended; nothing is waited for then
};

} // namespace perdure
