#include <perdure/workflow/context.hpp>

#include "operation_state.hpp"
#include "runtime.hpp"

#include <utility>

namespace perdure {

timestamp context::now() const noexcept
{
    return run_->now();
}

boost::uuids::uuid context::uuid() const
{
    return run_->next_uuid();
}

const instance_info& context::info() const noexcept
{
    return run_->info();
}

namespace detail {

std::shared_ptr<operation_state> make_activity(runtime& run, untyped_activity_call call)
{
    return std::make_shared<activity_operation>(run, std::move(call));
}

std::shared_ptr<operation_state> make_timer(runtime& run, std::chrono::microseconds duration)
{
    return std::make_shared<timer_operation>(run, duration);
}

std::shared_ptr<operation_state> make_receive(runtime& run, std::string_view signal)
{
    return std::make_shared<receive_operation>(run, signal);
}

std::shared_ptr<operation_state> make_side_effect(
    runtime& run, std::unique_ptr<side_effect_function> function)
{
    return std::make_shared<side_effect_operation>(run, std::move(function));
}

std::shared_ptr<operation_state> make_continuation(runtime& run, untyped_workflow_call call)
{
    return std::make_shared<continuation>(run, std::move(call));
}

void start(operation_state& operation)
{
    operation.start();
}

} // namespace detail

} // namespace perdure
