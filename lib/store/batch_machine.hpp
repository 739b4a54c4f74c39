// Brings a batch through, as a state machine without I/O: whoever owns the connection asks it what
// to do next, and tells it how that went. The batch is the unit of commit, the item is the unit of
// failure.
#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <optional>
#include <span>
#include <vector>

namespace perdure::store {

/// What to do now.
struct batch_step
{
    enum class kind
    {
        send,    ///< send these items in one transaction, then report
        resolve, ///< find out what became of these items' commit, then report
        wait,    ///< let this time pass
        give_up, ///< patience is at its end, or the database is away and nothing is in doubt
        done     ///< every item is settled
    };

    batch_step::kind kind = kind::done;
    std::vector<std::size_t> items; ///< send, resolve: ascending
    std::chrono::milliseconds pause{0};
};

/// How a step failed.
enum class batch_failure
{
    fenced,      ///< the fence stopped it and named losers: report with `batch_machine::fenced`
    refused,     ///< the server refuses the contents of some item
    conflict,    ///< a deadlock or a serialization failure
    locked,      ///< some item's instance is locked by somebody for too long
    slow,        ///< a statement ran into its time limit
    unavailable, ///< nothing was done: no connection, no resources, read-only, starting
    unknown      ///< the connection was lost: it may be committed
};

/// What became of an item.
enum class batch_outcome
{
    open,
    confirmed,
    lost,    ///< a loser of the fence
    rejected ///< refused when it was sent alone
};

/// How a batch is cut, and how long it is kept up.
struct batch_limits
{
    std::size_t items = 500;             ///< most items in a transaction
    std::size_t bytes = 8 * 1024 * 1024; ///< most bytes in one, unless a single item has more
    bool resolves = true;                ///< else an item in doubt is sent again
    bool losers_again = false;           ///< else a loser of the fence is settled
    /// How long to wait and to try without any progress; none: for ever.
    std::optional<std::chrono::milliseconds> patience;
};

/** The machine. `next` says what to do; each `send` and `resolve` is answered by exactly one
 * report.
 *
 *  Items that are sent together stay together until something is in the way. Losers are removed and
 * the rest is sent again; a refused batch is halved until the refused items stand alone; a locked
 * one is taken apart, each item waiting on its own; a conflict is sent again as it was. While the
 * database is away nothing else is tried. No rule drops an item, and each makes progress: fewer
 * items, or more time until the next try.
 */
class batch_machine
{
public:
    /// \param bytes the size of each item.
    batch_machine(std::span<const std::size_t> bytes, batch_limits limits);

    /// What to do now.
    batch_step next();

    /// The last `send` was committed. `again`: those of its items that must be sent once more.
    void committed(std::span<const std::size_t> again = {});
    /// The last step failed, in any way but `fenced`, after this time.
    void failed(batch_failure how, std::chrono::milliseconds took = {});
    /// The fence stopped the last `send`: positions in its items, from 1.
    void fenced(std::span<const std::size_t> positions);
    /// The last `resolve` found out: for each of its items whether it is settled; the others are
    /// sent again.
    void resolved(const std::vector<bool>& settled);

    batch_outcome outcome(std::size_t item) const { return outcomes_.at(item); }
    /// Whether some item that is not settled may have been committed.
    bool in_doubt() const noexcept;

private:
    struct group
    {
        std::vector<std::size_t> items;
        bool in_doubt = false; // its commit may have happened
        unsigned tries = 0;    // that failed in a way that time may cure
        std::chrono::milliseconds pause{0};
    };

    batch_step wait(std::chrono::milliseconds pause);
    bool impatient() const noexcept;
    group take();
    void put_back(group rest);
    void settle(const group& which, batch_outcome how);
    void halve(group which);
    void take_apart(const group& which);
    void delay(group which);

    batch_limits limits_;
    std::vector<batch_outcome> outcomes_;
    std::deque<group> groups_;
    std::optional<group> under_way_;
    unsigned outages_ = 0;                // in a row
    std::chrono::milliseconds pause_{0};  // before anything else is tried
    std::chrono::milliseconds waited_{0}; // and tried in vain, since the last progress
    bool hopeless_ = false;
};

} // namespace perdure::store
