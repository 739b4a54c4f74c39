// Storing what workflow tasks came to.
#pragma once

#include <store/report_batch.hpp>

#include <perdure/store/completions.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace perdure::store {

class workflow_batch : public report_batch
{
public:
    workflow_batch(store_core& core, std::vector<workflow_completion> completions);

    std::vector<std::size_t> sizes() const;

    pg::pipeline build(batch_items items) override;
    std::vector<std::size_t> confirmed(
        batch_items items, const pg::pipeline_result& results) override;
    std::vector<bool> resolved(batch_items items, const pg::pipeline_result& results) override;
    void lost(std::size_t item) override;
    void rejected(std::size_t item, const std::string& reason) override;

    /// What came of a settled item.
    workflow_completed take(std::size_t item) { return std::move(outcomes_[item]); }

private:
    void add_history(pg::pipeline& work, batch_items items) const;
    void add_activities(pg::pipeline& work, batch_items items);
    void end_activities(
        pg::pipeline& work, batch_items items, const std::vector<instance_key>& ended) const;
    void add_instances(pg::pipeline& work, batch_items items) const;
    void add_settling(pg::pipeline& work, batch_items items);
    void read_arrived(
        batch_items items, const pg::pipeline_result& results, const std::vector<bool>& more);
    void read_claimed(batch_items items, const pg::result& rows);
    instance_key instance_of(std::size_t item) const override
    {
        return completions_[item].instance;
    }
    announcement announce(batch_items items) const override;
    void add_question(pg::pipeline& work, batch_items items) override;

    std::vector<workflow_completion> completions_;
    std::vector<workflow_completed> outcomes_;
    // Places in the pipeline that was built last.
    std::optional<std::size_t> claimed_; // if any activities were
    std::size_t settled_ = 0;
    std::size_t arrived_ = 0;
    std::size_t clock_ = 0;
    std::size_t resolution_ = 0;
};

} // namespace perdure::store
