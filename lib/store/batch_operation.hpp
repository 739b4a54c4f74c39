// One kind of change, on a batch: how it is sent and how its answer is read. `run_batch` does the
// rest.
#pragma once

#include <store/batch_machine.hpp>
#include <store/store_core.hpp>

#include <perdure/pg/pipeline.hpp>

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace perdure::store {

/// Indices into the batch that belong together for one transaction.
using batch_items = std::span<const std::size_t>;

class batch_operation
{
public:
    explicit batch_operation(store_core& core);
    virtual ~batch_operation();

    /// The transaction that changes these items, and the notification behind it.
    virtual pg::pipeline build(batch_items items) = 0;

    /// What the last `build` made was committed. Returns the items that must be sent again.
    virtual std::vector<std::size_t> confirmed(
        batch_items items, const pg::pipeline_result& results) = 0;

    /// The transaction that finds out which of these items somebody has locked. Only for operations
    /// whose limits say that they probe.
    virtual pg::pipeline build_probe(batch_items items);

    /// Reads what `build_probe` found out: for each item whether it is locked.
    virtual std::vector<bool> probed(batch_items items, const pg::pipeline_result& results);

    /// The transaction that finds out whether these items were committed. Only for operations whose
    /// limits say that they resolve.
    virtual pg::pipeline build_resolve(batch_items items);

    /// Reads what `build_resolve` found out: for each item whether it is settled.
    virtual std::vector<bool> resolved(batch_items items, const pg::pipeline_result& results);

    /// This item was a loser of the fence. Only for operations that have one.
    virtual void lost(std::size_t item);

    /// This item alone was refused, or stayed locked, with these words.
    virtual void rejected(std::size_t item, const std::string& reason) = 0;

    /// Learns from what its transaction returned what the database's clock shows.
    void observe_clock(const pg::pipeline_result& results);

    /// Others were not told of the commit, whatever the last `build` added for them.
    void not_told();

protected:
    /// A transaction with the settings of all that change instances.
    pg::pipeline begin() const;

    /// What is announced, as yet of no queue.
    announcement news() const
    {
        announcement what;
        what.since = since_;
        return what;
    }

    /// When something may be claimed that is to wait for so long, the same however often it is asked:
    /// an announcement must say the same to this process and to others, who rank by it. Early rather
    /// than late. Nothing: at once, or the database's clock is not known.
    std::optional<timestamp> due_after(std::chrono::milliseconds wait) const
    {
        if (!begun_ || wait.count() <= 0) return std::nullopt;
        return *begun_ + wait;
    }

    /// Ends the transaction. Others are told of this along with it, or when it is confirmed.
    template <class... Notify>
    void commit(pg::pipeline& work, const announcement& what, Notify... notify)
    {
        told_as_ = core_.commit(work, what, std::move(notify)...);
    }

    /// The commit is confirmed, and has changed this.
    void committed(const announcement& what)
    {
        core_.announcements.committed(what, std::exchange(told_as_, std::nullopt));
    }

    store_core& core_;

private:
    std::optional<announcement_id> told_as_; // what the last `build` committed
    timestamp since_;                        // none of its transactions began earlier
    std::optional<timestamp> begun_;         // by the database's clock
};

/// Hears how a batch gets on.
struct batch_progress
{
    std::function<void(std::size_t item)> settled; ///< once for each item, as soon as it is
    std::function<void()> held_up; ///< all that is left waits for the locks of others; may be empty
};

/// Brings the operation through for all items. Throws pg::error when the pool is closed or what it
/// did is wrong, and, where the limits set a patience, for the items that are not settled then: when
/// the database is away, or errc::commit_unknown when what became of them could not be found out.
boost::asio::awaitable<void> run_batch(
    store_core& core, batch_operation& operation, std::vector<std::size_t> bytes,
    batch_limits limits, batch_progress progress);

} // namespace perdure::store
