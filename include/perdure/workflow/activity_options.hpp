// How an activity is run: where, how long, how often.
#pragma once

#include <perdure/config.hpp>
#include <perdure/workflow/defaults.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace perdure {

/** Queue, time limit and retry policy of one scheduled activity.
 *
 *  A class with setters, so that it can be built fluently; each setter returns the object it was
 * called on. Setters throw error (errc::invalid_argument) for a value that makes no sense, which
 * changes nothing.
 */
class PERDURE_DECL activity_options
{
public:
    /// The queue whose workers run the activity; nothing: the queue of the workflow.
    const std::optional<std::string>& queue() const noexcept { return queue_; }
    activity_options& queue(std::string name);

    /// How long one attempt may take; positive. Default 10 minutes.
    std::chrono::milliseconds start_to_close() const noexcept { return start_to_close_; }
    activity_options& start_to_close(std::chrono::milliseconds limit);

    /// How many attempts are made before the activity has failed; 0 is without limit, the default.
    std::int32_t attempts() const noexcept { return attempts_; }
    activity_options& attempts(std::int32_t count);

    /// The pause before the second attempt; not negative. Default 1 second.
    std::chrono::milliseconds initial_interval() const noexcept { return initial_interval_; }
    activity_options& initial_interval(std::chrono::milliseconds pause);

    /// What each further pause is multiplied by; at least 1. Default 2.
    double backoff_coefficient() const noexcept { return backoff_coefficient_; }
    activity_options& backoff_coefficient(double factor);

    /// The longest pause; not negative. Default 100 seconds.
    std::chrono::milliseconds maximum_interval() const noexcept { return maximum_interval_; }
    activity_options& maximum_interval(std::chrono::milliseconds pause);

    /** The pause that follows a failed attempt, without jitter: the initial interval, multiplied by
     * the coefficient for every further attempt, never above the maximum.
     *  \param attempt the number of the attempt that failed, from 1.
     */
    std::chrono::milliseconds pause_after(std::int32_t attempt) const noexcept;

    /// Whether another attempt is allowed after this one (counted from 1) failed.
    bool may_retry(std::int32_t attempt) const noexcept
    {
        return attempts_ == 0 || attempt < attempts_;
    }

    friend bool operator==(const activity_options&, const activity_options&) = default;

private:
    std::optional<std::string> queue_;
    std::chrono::milliseconds start_to_close_ = defaults::start_to_close;
    std::int32_t attempts_ = defaults::attempts;
    std::chrono::milliseconds initial_interval_ = defaults::initial_interval;
    double backoff_coefficient_ = defaults::backoff_coefficient;
    std::chrono::milliseconds maximum_interval_ = defaults::maximum_interval;
};

} // namespace perdure
