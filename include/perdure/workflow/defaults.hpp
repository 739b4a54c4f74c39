// Every default and every limit of the library, in one place.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace perdure::defaults {

/// How long a claimed task belongs to its worker without a sign of life.
inline constexpr std::chrono::milliseconds lease{10'000};

/// How often a worker extends the lease of what it is still working on.
inline constexpr std::chrono::milliseconds lease_extension{3'000};

/// The share of a lease, in percent, after which its holder starts no effect any more.
inline constexpr int lease_usable_percent = 80;

/// Attempts of an activity; 0 is without limit.
inline constexpr std::int32_t attempts = 0;

/// The pause before an activity's second attempt.
inline constexpr std::chrono::milliseconds initial_interval{1'000};

/// What each further pause is multiplied by.
inline constexpr double backoff_coefficient = 2.0;

/// The longest pause between two attempts.
inline constexpr std::chrono::milliseconds maximum_interval{100'000};

/// How far, in percent, a pause is lengthened or shortened at random, so that attempts do not come
/// in step.
inline constexpr int jitter_percent = 10;

/// How long one attempt of an activity may take.
inline constexpr std::chrono::milliseconds start_to_close{600'000};

/// How long a draining worker waits for what is in flight before it hands it back.
inline constexpr std::chrono::milliseconds drain{10'000};

/// The queue of instances and activities that name none.
inline constexpr std::string_view queue = "default";

/// The PostgreSQL schema that holds all tables.
inline constexpr std::string_view schema = "perdure";

/// Limit of an instance's id, in bytes.
inline constexpr std::size_t maximum_id = 255;

/// Limit of the name of a workflow, activity, signal, failure or queue, in characters.
inline constexpr std::size_t maximum_name = 100;

/// Limit of one payload, in bytes.
inline constexpr std::size_t maximum_payload = 2 * 1024 * 1024;

/// Limit of a run's history, in events.
inline constexpr std::int32_t maximum_history_events = 50'000;

/// Limit of a run's history, in bytes of payload.
inline constexpr std::size_t maximum_history_bytes = 50 * 1024 * 1024;

/// Limit of what a workflow does before everything in it waits: operations awaited and coroutines
/// resumed.
inline constexpr std::int32_t maximum_activation_steps = 1'000'000;

/// Limit of the nesting of arrays and objects in a payload.
inline constexpr std::size_t maximum_depth = 100;

} // namespace perdure::defaults
