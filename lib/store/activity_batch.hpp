// Storing what attempts of activities came to.
#pragma once

#include <store/report_batch.hpp>

#include <perdure/store/completions.hpp>

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace perdure::store {

class activity_batch : public report_batch
{
public:
    activity_batch(store_core& core, std::vector<activity_completion> completions);

    std::vector<std::size_t> sizes() const;

    pg::pipeline build(batch_items items) override;
    std::vector<std::size_t> confirmed(
        batch_items items, const pg::pipeline_result& results) override;
    std::vector<bool> resolved(batch_items items, const pg::pipeline_result& results) override;
    void lost(std::size_t item) override;
    void rejected(std::size_t item, const std::string& reason) override;

    /// What came of a settled item.
    activity_completed take(std::size_t item) { return std::move(outcomes_[item]); }

private:
    void add_results(pg::pipeline& work, batch_items items);
    std::map<instance_key, std::size_t> claimants_of(batch_items items) const;
    void add_claims(pg::pipeline& work, const std::map<instance_key, std::size_t>& claimants);
    void add_claimed(pg::pipeline& work);
    void read_claimed(batch_items items, const pg::pipeline_result& results);
    void announce_results(batch_items items);
    void add_settling(pg::pipeline& work, batch_items items);
    instance_key instance_of(std::size_t item) const override
    {
        return completions_[item].instance;
    }
    announcement announce(batch_items items) const override;
    void add_question(pg::pipeline& work, batch_items items) override;

    std::vector<activity_completion> completions_;
    std::vector<activity_completed> outcomes_;
    // Places in the pipeline that was built last.
    std::size_t settled_ = 0;
    std::size_t resolution_ = 0;
    std::optional<std::size_t> claim_; // of workflow tasks, if there was one
    std::size_t claimed_tasks_ = 0;
    std::size_t claimed_inboxes_ = 0;
};

} // namespace perdure::store
