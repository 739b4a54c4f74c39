// Where a claim begins to look: an index keeps its entries of deleted rows for as long as the oldest
// transaction could see them, and each claim would read past all of them.
#pragma once

#include <perdure/workflow/timestamp.hpp>

#include <algorithm>
#include <optional>

namespace perdure {

/// An instant before which a queue has no row. The order that overlooks nothing: `look()`, claim
/// from `from()`, `seen()`; and `lower()` whenever a task is announced.
class low_water_mark
{
public:
    /// No row has an earlier `visible_at`; `timestamp::min()` when that is not known.
    timestamp from() const noexcept { return from_; }

    /// A claim begins: what is announced from here on may be newer than what it sees.
    void look() noexcept { lowered_ = timestamp::max(); }

    /// What the claim saw. What becomes visible to others later is announced, with its own instant.
    /// \param earliest  the earliest row; nothing: there is none.
    /// \param looked_at by the database's clock.
    void seen(std::optional<timestamp> earliest, timestamp looked_at) noexcept
    {
        from_ = std::min({earliest.value_or(looked_at), looked_at, lowered_});
        lowered_ = timestamp::max();
    }

    /// There may be a row from this instant on.
    void lower(timestamp to) noexcept
    {
        from_ = std::min(from_, to);
        lowered_ = std::min(lowered_, to);
    }

private:
    timestamp from_ = timestamp::min();
    timestamp lowered_ = timestamp::max(); // while it looked
};

} // namespace perdure
