// Delivering what was written down in the transactions of others.
#pragma once

#include <store/signal_batch.hpp>

#include <perdure/store/requests.hpp>

#include <perdure/pg/result.hpp>

#include <set>
#include <string>
#include <vector>

namespace perdure::store {

/// Delivers requests as signals, and deletes them in the same transaction: whatever becomes of its
/// commit, and however many do the same at once, a request is there or was delivered.
class request_batch : public signal_batch
{
public:
    request_batch(store_core& core, std::vector<stored_request> requests);

    /// As a signal's, but nobody waits for the answer: what is in the way is waited for.
    static batch_limits limits();

    /// Reads the rows of the statement `read_requests`.
    static std::vector<stored_request> read(const pg::result& rows);

    std::vector<std::size_t> confirmed(
        batch_items items, const pg::pipeline_result& results) override;
    void lost(std::size_t item) override;

    /// What came of a settled item.
    forwarded take(std::size_t item);

protected:
    void add_check(pg::pipeline& work, batch_items items) override;
    void add_cleaning(pg::pipeline& work, batch_items items) override;

private:
    std::vector<request_key> keys_of(batch_items items) const;

    std::set<request_key> deleted_; // by this batch
    std::set<std::size_t> behind_;
    std::size_t deletion_ = 0; // its place in the pipeline
};

} // namespace perdure::store
