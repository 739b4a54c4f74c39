#include <perdure/workflow/context.hpp>

#include "operation_state.hpp"
#include "runtime.hpp"

#include <perdure/workflow/error.hpp>

#include <bit>
#include <cmath>
#include <string>
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

std::uint64_t context::random() const
{
    return run_->next_random();
}

double context::uniform_number(double low, double high) const
{
    const double width = high - low;
    if (!(width >= 0) || !std::isfinite(width))
        detail::refuse_bounds(std::to_string(low), std::to_string(high));
    double drawn = low;
    if (width > 0) {
        do {
            const double fraction = static_cast<double>(run_->next_random() >> 11) * 0x1p-53;
            drawn = std::fma(fraction, width, low); // rounded once, with every compiler
        } while (drawn >= high);
    }
    return drawn;
}

const instance_info& context::info() const noexcept
{
    return run_->info();
}

namespace detail {

std::shared_ptr<operation_state> make_activity(
    runtime& run, shield guard, untyped_activity_call call)
{
    return std::make_shared<activity_operation>(run, guard, std::move(call));
}

std::shared_ptr<operation_state> make_timer(
    runtime& run, shield guard, std::chrono::microseconds duration)
{
    return std::make_shared<timer_operation>(run, guard, duration);
}

std::shared_ptr<operation_state> make_receive(runtime& run, shield guard, std::string_view signal)
{
    return std::make_shared<receive_operation>(run, guard, signal);
}

std::shared_ptr<operation_state> make_side_effect(
    runtime& run, shield guard, std::unique_ptr<side_effect_function> function)
{
    return std::make_shared<side_effect_operation>(run, guard, std::move(function));
}

std::shared_ptr<operation_state> make_continuation(
    runtime& run, shield guard, untyped_workflow_call call)
{
    return std::make_shared<continuation>(run, guard, std::move(call));
}

void start(operation_state& operation)
{
    operation.keep();
    operation.start();
}

std::uint64_t draw_up_to(runtime& run, std::uint64_t most)
{
    const auto bits = static_cast<int>(std::bit_width(most));
    if (bits == 0) return 0;
    const std::uint64_t mask = ~std::uint64_t{0} >> (64 - bits);
    std::uint64_t drawn = 0;
    do drawn = run.next_random() & mask;
    while (drawn > most);
    return drawn;
}

void refuse_bounds(const std::string& low, const std::string& high)
{
    throw error(
        errc::invalid_argument,
        "ctx.uniform cannot draw between the bounds " + low + " and " + high);
}

} // namespace detail

} // namespace perdure
