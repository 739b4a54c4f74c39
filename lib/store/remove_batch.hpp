// Removing what finished instances have left.
#pragma once

#include <store/batch_operation.hpp>

#include <string>
#include <utility>
#include <vector>

namespace perdure::store {

/// Removes the finished instances of ids, a few in each transaction: how many there are, and how
/// long their histories, does not matter. What is committed stays removed, whatever comes then.
class remove_batch : public batch_operation
{
public:
    remove_batch(store_core& core, std::vector<std::string> ids);

    static batch_limits limits();
    std::vector<std::size_t> sizes() const;

    pg::pipeline build(batch_items items) override;
    std::vector<std::size_t> confirmed(
        batch_items items, const pg::pipeline_result& results) override;
    void rejected(std::size_t item, const std::string& reason) override;

    /// Why the instances of an id could not be removed; empty when all were.
    const std::string& rejection() const noexcept { return rejection_; }

private:
    std::vector<std::string> ids_;
    std::string rejection_;
    // Announced behind the next transaction: until this one has run nobody knows what it removes.
    // There is always a next one, which finds nothing left.
    // Places in the pipeline that was built last.
    std::size_t locked_ = 0;
    std::size_t gone_ = 0;
};

} // namespace perdure::store
