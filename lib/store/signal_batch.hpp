// Delivering signals.
#pragma once

#include <store/batch_operation.hpp>

#include <perdure/store/instances.hpp>

#include <string>
#include <vector>

namespace perdure::store {

class signal_batch : public batch_operation
{
public:
    signal_batch(store_core& core, std::vector<signal_request> signals);

    static batch_limits limits();
    std::vector<std::size_t> sizes() const;

    pg::pipeline build(batch_items items) override;
    std::vector<std::size_t> confirmed(
        batch_items items, const pg::pipeline_result& results) override;
    pg::pipeline build_notification(batch_items items) override;
    void lost(std::size_t item) override;
    void rejected(std::size_t item, const std::string& reason) override;

    /// What came of each; throws when one was rejected.
    std::vector<signal_status> take();

private:
    void add_notification(pg::pipeline& work, batch_items items);

    store_core& core_;
    std::vector<signal_request> signals_;
    std::vector<signal_status> statuses_;
    std::vector<bool> looked_twice_;
    std::string rejection_;
    std::size_t delivery_ = 0; // its place in the pipeline
};

} // namespace perdure::store
