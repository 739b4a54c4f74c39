// What a workflow's code may do: everything it learns from the world and everything it asks of it
// goes through here, and so through its history.
#pragma once

#include <perdure/config.hpp>
#include <perdure/workflow/activity.hpp>
#include <perdure/workflow/argument.hpp>
#include <perdure/workflow/instance_info.hpp>
#include <perdure/workflow/operation.hpp>
#include <perdure/workflow/signal.hpp>
#include <perdure/workflow/timestamp.hpp>
#include <perdure/workflow/workflow.hpp>

#include <boost/uuid/uuid.hpp>

#include <chrono>
#include <concepts>
#include <functional>
#include <memory>
#include <string_view>
#include <type_traits>
#include <utility>

namespace perdure {

namespace detail {

class runtime;

/// A side effect's function, erased.
class side_effect_function
{
public:
    virtual ~side_effect_function() = default;
    virtual payload run() = 0;
};

template <class F>
class typed_side_effect final : public side_effect_function
{
public:
    explicit typed_side_effect(F function) : function_(std::move(function)) {}
    payload run() override { return encode(std::invoke(function_)); }

private:
    F function_;
};

PERDURE_DECL std::shared_ptr<operation_state> make_activity(runtime&, untyped_activity_call);
PERDURE_DECL std::shared_ptr<operation_state> make_timer(runtime&, std::chrono::microseconds);
PERDURE_DECL std::shared_ptr<operation_state> make_receive(runtime&, std::string_view signal);
PERDURE_DECL std::shared_ptr<operation_state> make_side_effect(
    runtime&, std::unique_ptr<side_effect_function>);
PERDURE_DECL std::shared_ptr<operation_state> make_continuation(runtime&, untyped_workflow_call);
PERDURE_DECL void start(operation_state&);

} // namespace detail

/// The first parameter of a workflow's coroutine: a handle of its run, cheap to copy, passed by
/// value to helpers. It must not outlive the coroutine.
///
/// Code under a context must be deterministic: run again on the same history, it must emit the same
/// commands in the same order. What is random, depends on the clock or the machine, or touches the
/// world comes from here or from an activity. A change of the code that emits other commands is
/// detected when an instance from before the change is replayed.
///
/// No function but what is awaited waits. All times are durable: they are kept by the database, in
/// no process.
class PERDURE_DECL context
{
public:
    /// For the library.
    explicit context(detail::runtime& run) noexcept : run_(&run) {}

    /// Runs an activity and waits for its result: `co_await
    /// ctx.run(shop::charge(order).attempts(5))`.
    /// \throws (when awaited) activity_failed after the last attempt, the activity's own failure as
    /// its cause.
    template <class R>
    operation<R> run(activity_call<R> call) const
    {
        return operation<R>(detail::make_activity(*run_, std::move(call)));
    }

    /// Starts an activity at once, to be awaited later: `auto shipping =
    /// ctx.start(shop::ship(order));`. A statement of its own, not an argument: compilers evaluate
    /// arguments in opposite orders, and the order of commands is durable.
    template <class R>
    future<R> start(activity_call<R> call) const
    {
        auto state = detail::make_activity(*run_, std::move(call));
        detail::start(*state);
        return future<R>(operation<R>(std::move(state)));
    }

    /// Waits for a signal: the first of this name that was sent to the instance and not received
    /// yet, whether it comes later or has come before. Each signal is received once, in the order
    /// of arrival.
    template <fixed_string Name, class T>
    operation<T> receive(const signal<Name, T>& definition) const
    {
        return operation<T>(detail::make_receive(*run_, definition.name()));
    }

    /// Waits for a time. Zero or less does not wait and records nothing.
    operation<void> sleep(std::chrono::microseconds duration) const
    {
        return operation<void>(detail::make_timer(*run_, duration));
    }

    /// The time at which the event the workflow is working on was delivered, by the database's
    /// clock. It stands still between two awaits and never goes backwards.
    timestamp now() const noexcept;

    /// A new UUID: of version 5, made of the instance's id, its run, its start and a counter, so
    /// that it is the same whenever this point is replayed. Nothing is recorded.
    boost::uuids::uuid uuid() const;

    /// Runs a function once and records what it returns; whenever the workflow is replayed, the
    /// recorded value is used and the function is not called. For short, local things that are not
    /// deterministic, such as a random number; not for what may fail or block: the worker waits for
    /// it.
    ///
    /// It is called when the operation is awaited. If the worker dies before it has stored the
    /// value, it is called again.
    /// \throws (when awaited) application_failure with a description of the exception that left the
    /// function, then and in every replay.
    template <std::invocable F>
        requires payload_type<std::remove_cvref_t<std::invoke_result_t<F&>>>
    auto side_effect(F&& function) const
    {
        static_assert(
            !detail::compiler_is_gcc12 || std::is_lvalue_reference_v<F> ||
                std::is_trivially_destructible_v<F>,
            "perdure: GCC 12 destroys a temporary closure with captures beside co_await twice; "
            "give it a name and pass the "
            "named object");
        using value = std::remove_cvref_t<std::invoke_result_t<F&>>;
        using erased = detail::typed_side_effect<std::remove_cvref_t<F>>;
        return operation<value>(
            detail::make_side_effect(*run_, std::make_unique<erased>(std::forward<F>(function))));
    }

    /// Ends this run and begins the instance's next one, with an empty history and these arguments.
    /// Awaiting it never returns: `co_return co_await ctx.continue_as_new(shop::poll(cursor));`.
    /// What is still running for this run is ignored when it ends; signals that were not received
    /// wait for the next run. The id and the queue stay; those of the call are not used.
    template <class R>
    basic_operation<detail::no_outcome<R>> continue_as_new(workflow_call<R> call) const
    {
        return basic_operation<detail::no_outcome<R>>(
            detail::make_continuation(*run_, std::move(call)));
    }

    /// Id, queue and run of the instance; valid as long as the run.
    const instance_info& info() const noexcept;

private:
    detail::runtime* run_;
};

} // namespace perdure
