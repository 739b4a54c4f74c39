// Creating instances.
#pragma once

#include <store/batch_operation.hpp>

#include <perdure/store/instances.hpp>

#include <perdure/pg/error.hpp>

#include <optional>
#include <string>
#include <vector>

namespace perdure::store {

class create_batch : public batch_operation
{
public:
    create_batch(store_core& core, std::vector<new_instance> instances);

    static batch_limits limits();
    std::vector<std::size_t> sizes() const;

    pg::pipeline build(batch_items items) override;
    std::vector<std::size_t> confirmed(
        batch_items items, const pg::pipeline_result& results) override;
    pg::pipeline build_notification(batch_items items) override;
    void lost(std::size_t item) override;
    void rejected(std::size_t item, const std::string& reason) override;

    /// What came of each; throws when one was rejected.
    std::vector<created> take();

private:
    announcement announce(batch_items items) const;

    store_core& core_;
    std::vector<new_instance> instances_;
    std::vector<created> created_;
    std::string rejection_;
    std::size_t look_up_ = 0; // its place in the pipeline
};

} // namespace perdure::store
