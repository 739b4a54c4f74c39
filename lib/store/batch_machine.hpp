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
        probe,   ///< find out which of these items are locked by somebody, then report
        resolve, ///< find out what became of these items' commit, then report
        wait,    ///< let this time pass
        reject,  ///< patience with these items is at its end: nothing was changed, they are settled
        give_up, ///< the rest is in doubt beyond patience, or the database is away without a doubt
        done     ///< every item is settled
    };

    batch_step::kind kind = kind::done;
    std::vector<std::size_t> items; ///< send, probe, resolve, reject: ascending
    std::chrono::milliseconds pause{0};
    bool locked = false; ///< reject: somebody has locked them; else it is what failed last
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
    rejected ///< refused when it was sent alone, or in vain for longer than patience lasts
};

/// How a batch is cut, and how long it is kept up.
struct batch_limits
{
    std::size_t items = 500;             ///< most items in a transaction
    std::size_t bytes = 8 * 1024 * 1024; ///< most bytes in one, unless a single item has more
    bool resolves = true;                ///< else an item in doubt is sent again
    bool probes = true;                  ///< else locked items are found by sending each alone
    /// How long an item is waited for and tried in vain; none: for ever.
    std::optional<std::chrono::milliseconds> patience;
};

/** The machine. `next` says what to do; each `send`, `probe` and `resolve` is answered by exactly
 *  one report.
 *
 *  Items that are sent together stay together until something is in the way. Losers are removed and
 *  the rest is sent again; a refused batch is halved until the refused items stand alone; those
 * that somebody has locked are set apart, and looked at again later and later, while the others go
 * on; a conflict is sent again as it was. While the database is away nothing else is tried. A loser
 * that was ever in doubt is asked for before it is settled: its first commit may have come through
 *  late. What patience ends for is settled by itself; only items that are in doubt until then stay
 *  open. No rule drops another item, and each makes progress: fewer items, or more time until the next
 *  try.
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
    /// The last `probe` found out: for each of its items whether it is locked.
    void probed(const std::vector<bool>& locked);
    /// The last `resolve` found out: for each of its items whether it is settled; the others are
    /// sent again.
    void resolved(const std::vector<bool>& settled);

    batch_outcome outcome(std::size_t item) const { return outcomes_.at(item); }
    /// Whether some item that is not settled may have been committed.
    bool in_doubt() const noexcept;
    /// Whether all that is left waits for somebody else's locks.
    bool held_up() const noexcept;

private:
    struct group
    {
        std::vector<std::size_t> items;
        bool in_doubt = false;     // its commit may have happened
        bool was_in_doubt = false; // and may still, if its connection lives longer than we know
        bool lost = false;         // the fence said so, unless its commit has happened
        bool held = false;         // somebody has locked its items
        bool probed = false;       // locks that a probe does not see may still be in the way
        unsigned tries = 0;        // that failed in a way that time may cure
        std::chrono::milliseconds pause{0};
        std::optional<std::chrono::milliseconds> since; // of the first such failure
    };

    batch_step wait(std::chrono::milliseconds pause);
    std::optional<batch_step> end_of_patience();
    group take();
    static group part_of(const group& whole);
    void put_back(group rest);
    void settle(const group& which, batch_outcome how);
    void hold(group which);
    void halve(group which);
    void take_apart(const group& which);
    void delay(group which);

    batch_limits limits_;
    std::vector<batch_outcome> outcomes_;
    std::deque<group> groups_;
    std::optional<group> under_way_;
    enum batch_step::kind doing_ = batch_step::kind::done; // with the group that is under way
    unsigned outages_ = 0;                                 // in a row
    std::chrono::milliseconds pause_{0};                   // before anything else is tried
    std::chrono::milliseconds now_{0};                     // that was waited and tried in vain
    bool hopeless_ = false;      // the database is away: only what is in doubt is kept up
    bool left_in_doubt_ = false; // some item was, when patience with it was at its end
};

} // namespace perdure::store
