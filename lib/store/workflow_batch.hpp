// Storing what workflow tasks came to.
#pragma once

#include <store/batch_operation.hpp>

#include <perdure/store/completions.hpp>

#include <cstddef>
#include <string>
#include <vector>

namespace perdure::store {

class workflow_batch : public batch_operation
{
public:
    workflow_batch(store_core& core, std::vector<workflow_completion> completions);

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
    std::vector<workflow_completed> take() { return std::move(outcomes_); }

    /// Tasks that go on with an event that cannot be read, to be handed back.
    std::vector<workflow_release> take_unreadable() { return std::move(unreadable_); }

private:
    void add_history(pg::pipeline& work, batch_items items) const;
    void add_activities(pg::pipeline& work, batch_items items) const;
    void add_instances(pg::pipeline& work, batch_items items) const;
    void add_settling(pg::pipeline& work, batch_items items);
    void read_arrived(
        batch_items items, const pg::pipeline_result& results, const std::vector<bool>& more);
    announcement announce(batch_items items) const;

    store_core& core_;
    std::vector<workflow_completion> completions_;
    std::vector<workflow_completed> outcomes_;
    std::vector<workflow_release> unreadable_;
    // Places in the pipeline that was built last.
    std::size_t settled_ = 0;
    std::size_t arrived_ = 0;
    std::size_t clock_ = 0;
    std::size_t resolution_ = 0;
};

} // namespace perdure::store
