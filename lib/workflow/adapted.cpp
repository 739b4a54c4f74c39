#include <perdure/workflow/detail/adapted.hpp>

#include "runtime.hpp"

#include <perdure/workflow/context.hpp>
#include <perdure/workflow/failure_info.hpp>

namespace perdure::detail {

std::uint64_t limited_wait::completed() const noexcept
{
    return const_cast<limited_wait*>(this)->inner().completed();
}

bool limited_wait::start(cancel_scope& scope)
{
    inner().join(*this, inner_index);
    if (inner().begin(scope)) return true;
    if (!scope.run().running()) return false;
    if (limit_ <= limit_.zero()) {
        timed_out_ = true;
        return inner().run_out_of_time();
    }
    timer_.emplace(make_timer(scope.run(), shield::on, limit_));
    timer_->join(*this, timer_index);
    timer_->begin(scope);
    return false;
}

bool limited_wait::cancel()
{
    if (timer_) timer_->give_up();
    return inner().give_up();
}

void limited_wait::child_over(std::size_t index)
{
    if (index == timer_index) {
        timed_out_ = true;
        if (inner().run_out_of_time()) over();
        return;
    }
    if (timer_) timer_->give_up();
    over();
}

std::shared_ptr<const failed> failure_of(std::exception_ptr thrown)
{
    try {
        std::rethrow_exception(thrown);
    } catch (const failed& known) {
        // lives as long as the exception_ptr does
        return {std::make_shared<std::exception_ptr>(thrown), &known};
    } catch (...) {
        return std::make_shared<const application_failure>(describe_exception(thrown));
    }
}

} // namespace perdure::detail
