// What an activity knows about the attempt it is.
#pragma once

#include <perdure/config.hpp>
#include <perdure/workflow/event.hpp>

#include <cstdint>
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
    explicit activity_context(const activity_info& info) noexcept : info_{&info} {}

    const activity_info& info() const noexcept { return *info_; }

    /// Which attempt this is, from 1. Advisory: after a crash a number may be seen twice.
    std::int32_t attempt() const noexcept { return info_->attempt; }

    /// A key that is the same in every attempt of this call and different for every other call in
    /// the schema, at most 50 characters of `0-9.`. Give it to whatever the activity changes, so
    /// that a second attempt after a crash changes nothing twice.
    std::string idempotency_key() const;

private:
    const activity_info* info_;
};

} // namespace perdure
