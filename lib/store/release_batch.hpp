// Giving workflow tasks back.
#pragma once

#include <store/report_batch.hpp>

#include <perdure/store/completions.hpp>

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace perdure::store {

class release_batch : public report_batch
{
public:
    release_batch(store_core& core, std::vector<workflow_release> releases);

    std::vector<std::size_t> sizes() const;

    pg::pipeline build(batch_items items) override;
    std::vector<std::size_t> confirmed(
        batch_items items, const pg::pipeline_result& results) override;
    std::vector<bool> resolved(batch_items items, const pg::pipeline_result& results) override;
    void lost(std::size_t item) override;
    void rejected(std::size_t item, const std::string& reason) override;

    /// What came of a settled item.
    completion_status take(std::size_t item) { return outcomes_[item]; }

private:
    instance_key instance_of(std::size_t item) const override { return releases_[item].instance; }
    announcement announce(batch_items items) const override;
    void add_question(pg::pipeline& work, batch_items items) override;

    std::vector<workflow_release> releases_;
    std::vector<completion_status> outcomes_;
    std::size_t resolution_ = 0; // its place in the pipeline
};

} // namespace perdure::store
