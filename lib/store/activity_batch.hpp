// Storing what attempts of activities came to.
#pragma once

#include <store/batch_operation.hpp>

#include <perdure/store/completions.hpp>

#include <cstddef>
#include <string>
#include <vector>

namespace perdure::store {

class activity_batch : public batch_operation
{
public:
    activity_batch(store_core& core, std::vector<activity_completion> completions);

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
    std::vector<activity_completed> take() { return std::move(outcomes_); }

private:
    void add_results(pg::pipeline& work, batch_items items) const;
    void add_settling(pg::pipeline& work, batch_items items);
    announcement announce(batch_items items) const;

    store_core& core_;
    std::vector<activity_completion> completions_;
    std::vector<activity_completed> outcomes_;
    // Places in the pipeline that was built last.
    std::size_t settled_ = 0;
    std::size_t resolution_ = 0;
};

} // namespace perdure::store
