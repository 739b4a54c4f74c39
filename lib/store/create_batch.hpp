// Creating instances.
#pragma once

#include <store/batch_operation.hpp>

#include <perdure/store/instances.hpp>

#include <optional>
#include <string>
#include <utility>
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
    void rejected(std::size_t item, const std::string& reason) override;

    /// What came of a settled item.
    created take(std::size_t item) { return std::move(created_[item]); }

private:
    std::vector<new_instance> instances_;
    std::vector<created> created_;
    std::vector<unsigned> tries_; // that were committed without an answer
    // Places in the pipeline that was built last.
    std::size_t created_now_ = 0;
    std::optional<std::size_t> look_up_;
};

} // namespace perdure::store
