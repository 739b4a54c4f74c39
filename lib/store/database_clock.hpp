// The database's clock as this process knows it, for instants that are announced before they are
// written.
#pragma once

#include <perdure/workflow/timestamp.hpp>

#include <chrono>
#include <optional>

namespace perdure::store {

/// Never ahead of the database's clock while that runs evenly: a reading is as old as its way here.
class database_clock
{
public:
    /// The database said `now`, and the answer has just arrived.
    void observe(timestamp now) noexcept { offset_ = now.time_since_epoch() - local(); }

    /// What the database's clock shows now, or a little less; nothing before the first reading.
    std::optional<timestamp> now() const noexcept
    {
        if (!offset_) return std::nullopt;
        return timestamp{local() + *offset_};
    }

private:
    static std::chrono::microseconds local() noexcept
    {
        return std::chrono::duration_cast<std::chrono::microseconds>(
            std::chrono::steady_clock::now().time_since_epoch());
    }

    std::optional<std::chrono::microseconds> offset_;
};

} // namespace perdure::store
