// Translates the database's clock to this process's steady clock, so that a wrong or stepping wall
// clock of the worker's machine changes nothing.
#pragma once

#include <perdure/workflow/event.hpp>

#include <chrono>

namespace perdure {

/// The last reading of the database's clock and the steady instant at which it arrived.
class database_clock
{
public:
    using time_point = std::chrono::steady_clock::time_point;

    /// Takes a reading `now` of the database's clock that arrived at `received`.
    void observe(timestamp now, time_point received) noexcept
    {
        database_ = now;
        steady_ = received;
        known_ = true;
    }

    /// The steady instant of a database time, `time_point::max()` if it is more than a century
    /// ahead. Before the first reading the wall clock stands in.
    time_point to_steady(timestamp at) const noexcept
    {
        if (at == timestamp::max()) return time_point::max();
        const time_point now = std::chrono::steady_clock::now();
        if (!known_) {
            const auto wall =
                std::chrono::time_point_cast<timestamp::duration>(std::chrono::system_clock::now());
            return after(now, at - wall);
        }
        return after(steady_, at - database_);
    }

    /// The database's time now, as far as this process can tell.
    timestamp now() const noexcept
    {
        if (!known_)
            return std::chrono::time_point_cast<timestamp::duration>(
                std::chrono::system_clock::now());
        return database_ + std::chrono::duration_cast<timestamp::duration>(
                               std::chrono::steady_clock::now() - steady_);
    }

private:
    /// A steady clock counts nanoseconds and so ends some centuries from now; what is due later is
    /// never due.
    static time_point after(time_point from, timestamp::duration distance) noexcept
    {
        constexpr std::chrono::hours farthest{24 * 365 * 100};
        if (distance > farthest) return time_point::max();
        if (distance < -farthest) return from;
        return from + std::chrono::duration_cast<time_point::duration>(distance);
    }

    timestamp database_{};
    time_point steady_{};
    bool known_ = false;
};

} // namespace perdure
