// Translates the database's clock to this process's steady clock, so that a wrong or stepping wall
// clock of the worker's machine changes nothing.
#pragma once

#include <perdure/workflow/timestamp.hpp>

#include <chrono>

namespace perdure::store {

/// The last reading of the database's clock and the steady instant at which it arrived. Never ahead
/// of the database's clock while that runs evenly: a reading is as old as its way here.
class database_clock
{
public:
    using time_point = std::chrono::steady_clock::time_point;
    /// By how much the database's clock may be set back before anybody need care.
    static constexpr std::chrono::seconds leeway{1};

    /// Takes a reading `now` of the database's clock that arrived at `received`.
    void observe(timestamp now, time_point received = std::chrono::steady_clock::now()) noexcept
    {
        database_ = now;
        steady_ = received;
        known_ = true;
    }

    /// Whether it was ever read. Until then the wall clock stands in.
    bool known() const noexcept { return known_; }

    /// The steady instant of a database time, `time_point::max()` if it is more than a century
    /// ahead.
    time_point to_steady(timestamp at) const noexcept
    {
        if (at == timestamp::max()) return time_point::max();
        const time_point now = std::chrono::steady_clock::now();
        if (!known_) return after(now, at - wall_clock());
        return after(steady_, at - database_);
    }

    /// The database's time now, as far as this process can tell.
    timestamp now() const noexcept
    {
        if (!known_) return wall_clock();
        return database_ + std::chrono::duration_cast<timestamp::duration>(
                               std::chrono::steady_clock::now() - steady_);
    }

    /// An instant that the database's clock has surely passed, also where one of the two clocks goes
    /// faster by a thousandth, or was set back by less than the leeway; `timestamp::min()` until it was
    /// read.
    timestamp surely_passed() const noexcept
    {
        if (!known_) return timestamp::min();
        const auto age = std::chrono::duration_cast<timestamp::duration>(
            std::chrono::steady_clock::now() - steady_);
        return database_ + age - age / 1000 - leeway;
    }

private:
    static timestamp wall_clock() noexcept
    {
        return std::chrono::time_point_cast<timestamp::duration>(std::chrono::system_clock::now());
    }

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

} // namespace perdure::store
