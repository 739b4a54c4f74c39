// What an activity knows about the attempt it is.
#pragma once

#include <perdure/config.hpp>
#include <perdure/workflow/event.hpp>

#include <cstdint>
#include <stop_token>
#include <string>

namespace perdure {

/// The particulars of one attempt to run an activity.
struct activity_info
{
    std::string name;           ///< the activity's durable name
    std::string queue;          ///< the queue it was claimed from
    std::string workflow_id;    ///< id of the instance that scheduled it
    std::int64_t instance = 0;  ///< the instance's number, unique within the schema for ever
    std::int32_t run = 1;       ///< the run of the instance that scheduled it
    std::int32_t operation = 0; ///< the number of the call within that run, from 1
    std::int32_t attempt = 1; ///< counts from 1. Advisory: after a crash a number may be seen twice
};

/// Handed to every activity as its first parameter; a pointer inside, passed by value. Valid until
/// the activity has returned.
class PERDURE_DECL activity_context
{
public:
    /// For the library. Neither is copied.
    activity_context(const activity_info& info, const std::stop_source& stop) noexcept
        : info_{&info}, stop_{&stop}
    {}

    const activity_info& info() const noexcept { return *info_; }

    /// Which attempt this is, from 1. Advisory: after a crash a number may be seen twice.
    std::int32_t attempt() const noexcept { return info_->attempt; }

    /// A key that is the same in every attempt of this call and different for every other call in
    /// the schema, at most 50 characters of `0-9.`. Give it to whatever the activity changes, so
    /// that a second attempt after a crash changes nothing twice.
    std::string idempotency_key() const;

    /// Whether this attempt should stop: nobody wants its result any more (the instance finished,
    /// or stopped waiting for it when it was cancelled), its `start_to_close` has passed, its lease
    /// was lost, or the worker is leaving and has handed it back. What it returns is ignored then.
    /// May be asked on any thread. A coroutine is also cancelled, through its cancellation slot.
    ///
    /// A cancellation is noticed with the next extension of the lease, within a third of one.
    bool cancelled() const noexcept { return stop_->stop_requested(); }

    /// The same as a token, for functions that take one or wait with one
    /// (`std::condition_variable_any`). It may outlive the activity. Its callbacks run on the
    /// engine's executor.
    std::stop_token stop_token() const noexcept { return stop_->get_token(); }

private:
    const activity_info* info_;
    const std::stop_source* stop_;
};

} // namespace perdure
