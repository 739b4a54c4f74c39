#include <perdure/worker/activity_context.hpp>

namespace perdure {

std::string activity_context::idempotency_key() const
{
    return std::to_string(info_->instance) + "." + std::to_string(info_->run) + "." +
           std::to_string(info_->operation);
}

} // namespace perdure
