#include "operation_state.hpp"

#include "runtime.hpp"

#include <perdure/workflow/checks.hpp>
#include <perdure/workflow/failure_info.hpp>

#include <utility>

namespace perdure::detail {

namespace {

constexpr std::string_view side_effect_failed =
    "failure"; // the event's name when the function threw

} // namespace

void operation_state::start()
{
    if (started_ || !run_->running()) return;
    started_ = true;
    begin();
}

void operation_state::leave(leaving why)
{
    if (!started_ || done() || awaited()) return;
    if (kept_ && !(why == leaving::interrupted && run_->cancel_requested())) return;
    withdraw(why);
}

void operation_state::complete(operation_ending ending, payload data)
{
    ending_ = ending;
    data_ = std::move(data);
    completion::complete(*run_);
}

std::shared_ptr<const failed> operation_state::failure() const
{
    return std::make_shared<const failed>(errc::application_failure, decode_failure(data_));
}

activity_operation::activity_operation(runtime& run, shield guard, untyped_activity_call call)
    : operation_state(run, guard), call_(std::move(call))
{}

void activity_operation::begin()
{
    number_ = run().next_operation();
    run().schedule(
        number_, call_, std::static_pointer_cast<activity_operation>(shared_from_this()));
}

void activity_operation::withdraw(leaving why)
{
    if (why == leaving::timed_out || !run().running()) return;
    run().cancel_activity(number_);
    complete(operation_ending::cancelled, payload());
}

std::shared_ptr<const failed> activity_operation::failure() const
{
    return std::make_shared<const activity_failed>(call_.name(), decode_failure(data()));
}

void timer_operation::begin()
{
    if (duration_ <= duration_.zero()) return complete(operation_ending::value, payload());
    const timestamp latest = timestamp::max();
    const timestamp now = run().now();
    due_ = duration_ < latest - now ? now + duration_ : latest;
    number_ = run().next_operation();
    const event* started = run().emit(event_type::timer_started, number_, {}, {}, due_);
    if (started == nullptr) return;
    due_ = started->due.value_or(
        due_); // history is right, should the code ask for another duration now
    run().start_timer(std::static_pointer_cast<timer_operation>(shared_from_this()));
}

void timer_operation::withdraw(leaving why)
{
    if (why == leaving::timed_out || !run().running()) return;
    run().emit(event_type::timer_cancelled, number_);
    run().stop_timer(*this);
    reset();
}

void receive_operation::begin()
{
    if (std::optional<payload> received = run().take_signal(signal_)) {
        return complete(operation_ending::value, std::move(*received));
    }
    run().wait_for_signal(signal_, *this);
}

void side_effect_operation::begin()
{
    const std::int32_t number = run().next_operation();
    const std::unique_ptr<side_effect_function> function = std::move(function_);
    std::string_view name;
    payload data;
    if (!run().replaying()) {
        try {
            data = function->run();
            check_payload("the value of a side effect", data);
        } catch (...) {
            name = side_effect_failed;
            data = encode_failure(describe_exception(std::current_exception()));
        }
    }
    const event* recorded = run().emit(event_type::side_effect, number, name, std::move(data));
    if (recorded == nullptr) return;
    complete(
        recorded->name == side_effect_failed ? operation_ending::failure : operation_ending::value,
        recorded->data);
}

std::shared_ptr<const failed> side_effect_operation::failure() const
{
    return std::make_shared<const application_failure>(decode_failure(data()));
}

void continuation::begin()
{
    if (run().emit(event_type::workflow_continued, 0, call_.name(), call_.arguments()) == nullptr)
        return;
    run().end({finish::kind::continued, call_.arguments(), call_.name(), {}});
}

} // namespace perdure::detail
