// The replayer: a workflow's code run as a pure function of its history. Events in, commands out.
#pragma once

#include <perdure/config.hpp>
#include <perdure/workflow/decision.hpp>
#include <perdure/workflow/event.hpp>
#include <perdure/workflow/implementation.hpp>
#include <perdure/workflow/instance_info.hpp>
#include <perdure/workflow/timestamp.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

namespace perdure {

/// One run of one instance, in memory.
///
/// Knows no socket, clock or thread: the same history always leads to the same state, and a
/// replayer that was kept is in the same state as one that was just built from the history. Events
/// are delivered one by one, the coroutines that became ready are resumed first in, first out,
/// before the next event is.
///
/// Not thread-safe; may be used by one thread after the other. Destroying it destroys the coroutine
/// frames with all their locals, at whatever point they had reached; commands that their
/// destructors try to emit are ignored.
class PERDURE_DECL replayer
{
public:
    /// \param implementation the workflow's code; not null.
    /// \param info who it runs for.
    replayer(std::shared_ptr<const workflow_implementation> implementation, instance_info info);
    replayer(replayer&&) noexcept;
    replayer& operator=(replayer&&) noexcept;
    ~replayer();

    /// Takes in what was stored of this run's history, whole or the next part; a part ends at the
    /// end of an activation, or after events that have arrived and were not worked on.
    ///
    /// Each command that the code emits is compared (type, operation and name) with the recorded
    /// one.
    /// \throws error errc::nondeterminism when they differ: what the history has and what the code
    /// did, side by side. errc::malformed_payload when the arguments cannot be decoded: workflow,
    /// expected signature and what was found. errc::invalid_argument when the events are no history
    /// of a run. The replayer must not be used after that.
    void replay(std::vector<event> history);

    /// Works on new events: delivers them and the timers that are due, and returns what is to be
    /// stored.
    ///
    /// Nothing is stored here; if the decision could not be stored, the replayer must be destroyed.
    /// An exception that leaves the workflow's coroutine is no error of this function: it is the
    /// decision to finish as failed.
    /// \param arrived in the order of their arrival, each with the time it arrived at; timers that
    /// were due before an event arrived fire before it. May be empty.
    /// \param now the database's time. Times that the workflow sees never go backwards even if
    /// these do.
    /// \throws the same as \ref replay, and errc::invalid_argument when the run has finished.
    decision activate(std::vector<event> arrived, timestamp now);

    /// When the earliest timer that is waited for is due.
    std::optional<timestamp> next_timer() const;

    /// Whether the run has ended.
    bool finished() const noexcept;

    /// The number of events of this run's history, those of the decisions made included.
    std::int32_t history_length() const noexcept;

private:
    class driver;
    std::unique_ptr<driver> driver_;
};

} // namespace perdure
