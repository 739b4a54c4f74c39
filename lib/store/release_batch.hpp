// Giving workflow tasks back.
#pragma once

#include <store/batch_operation.hpp>

#include <perdure/store/completions.hpp>

#include <cstddef>
#include <string>
#include <vector>

namespace perdure::store {

class release_batch : public batch_operation
{
public:
    release_batch(store_core& core, std::vector<workflow_release> releases);

    static batch_limits limits() { return {}; }
    std::vector<std::size_t> sizes() const;

    pg::pipeline build(batch_items items) override;
    std::vector<std::size_t> confirmed(
        batch_items items, const pg::pipeline_result& results) override;
    pg::pipeline build_resolve(batch_items items) override;
    std::vector<bool> resolved(batch_items items, const pg::pipeline_result& results) override;
    pg::pipeline build_notification(batch_items items) override;
    void lost(std::size_t item) override;
    void rejected(std::size_t item, const std::string& reason) override;

    /// What came of each.
    std::vector<completion_status> take() { return std::move(outcomes_); }

private:
    announcement announce(batch_items items) const;

    store_core& core_;
    std::vector<workflow_release> releases_;
    std::vector<completion_status> outcomes_;
    std::size_t resolution_ = 0; // its place in the pipeline
};

} // namespace perdure::store
