// What a workflow's code may do: everything it learns from the world and everything it asks of it
// goes through here, and so through its history.
#pragma once

#include <perdure/config.hpp>
#include <perdure/workflow/activity.hpp>
#include <perdure/workflow/argument.hpp>
#include <perdure/workflow/instance_info.hpp>
#include <perdure/workflow/operation.hpp>
#include <perdure/workflow/select.hpp>
#include <perdure/workflow/signal.hpp>
#include <perdure/workflow/spawned.hpp>
#include <perdure/workflow/task.hpp>
#include <perdure/workflow/timestamp.hpp>
#include <perdure/workflow/when_all.hpp>
#include <perdure/workflow/workflow.hpp>

#include <boost/uuid/uuid.hpp>

#include <chrono>
#include <concepts>
#include <cstdint>
#include <functional>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace perdure {

class context;

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

/// Whether a cancellation interrupts an operation.
enum class shield : bool
{
    off,
    on
};

PERDURE_DECL std::shared_ptr<operation_state> make_activity(
    runtime&, shield, untyped_activity_call);
PERDURE_DECL std::shared_ptr<operation_state> make_timer(
    runtime&, shield, std::chrono::microseconds);
PERDURE_DECL std::shared_ptr<operation_state> make_receive(
    runtime&, shield, std::string_view signal);
PERDURE_DECL std::shared_ptr<operation_state> make_side_effect(
    runtime&, shield, std::unique_ptr<side_effect_function>);
PERDURE_DECL std::shared_ptr<operation_state> make_continuation(
    runtime&, shield, untyped_workflow_call);

/// Starts it, for a future: it is not withdrawn when nobody waits for it.
PERDURE_DECL void start(operation_state&);

/// A number from 0 to `most`, each as likely.
PERDURE_DECL std::uint64_t draw_up_to(runtime&, std::uint64_t most);

[[noreturn]] PERDURE_DECL void refuse_bounds(const std::string& low, const std::string& high);

/// A function that makes a task, its arguments, and the task: as long as the task runs.
template <class T, class F, class... A>
task<T> run_owned(F function, context ctx, A... arguments);

template <class T>
inline constexpr bool is_task = false;
template <class T>
inline constexpr bool is_task<task<T>> = true;

/// Whether a function makes a task of a context and these arguments.
template <class F, class... A>
constexpr bool makes_task()
{
    if constexpr (std::is_invocable_v<F&, context, A...>)
        return is_task<std::invoke_result_t<F&, context, A...>>;
    else
        return false;
}

} // namespace detail

/// The first parameter of a workflow's coroutine: a handle of its run, cheap to copy, passed by
/// value to helpers. It must not outlive the coroutine.
///
/// Once the instance was asked to end, \ref cancelled is thrown wherever its code awaits an
/// operation, now and from then on, until the run ends; shielded() is for what has to be done all
/// the same. A workflow that lets it out ends as cancelled; one that returns or throws something
/// else ends so.
///
/// Code under a context must be deterministic: run again on the same history, by another process,
/// built by another compiler, it must emit the same commands in the same order. What is random,
/// depends on the clock or the machine, or touches the world comes from here or from an activity. A
/// change of the code that emits other commands is detected when an instance from before the change
/// is replayed. What looks deterministic and is not, because each standard library does it in its
/// own way or each process finds it in another place:
/// - std::*_distribution, std::shuffle and std::sample: use uniform() and shuffle();
/// - the order of elements in unordered containers, std::hash, and the order that std::sort leaves
///   equal elements in: use std::map and std::stable_sort;
/// - pointers as keys or in comparisons, and addresses of any kind;
/// - the order in which the arguments of one call are evaluated: start() and spawn() are statements
///   of their own;
/// - the texts of `what()`, typeid names, and the last digits of floating-point results;
/// - static and global variables that workflows change: each replay finds them as another left
/// them.
///
/// No function but what is awaited waits. All times are durable: they are kept by the database, in
/// no process. An activation, all that the code does between two moments at which everything in it
/// waits, is bounded (defaults::maximum_activation_steps): code that never waits fails its task.
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
        return operation<R>(detail::make_activity(*run_, shield_, std::move(call)));
    }

    /// Not a call of an activity: refused, in one sentence.
    template <class T>
    detail::refused_awaitable run(const T&) const
    {
        static_assert(
            std::is_void_v<T>, "perdure: ctx.run takes a call of an activity: "
                               "ctx.run(shop::charge(order))");
        return {};
    }

    /// Starts an activity at once, to be awaited later: `auto shipping =
    /// ctx.start(shop::ship(order));`. A statement of its own, not an argument: compilers evaluate
    /// arguments in opposite orders, and the order of commands is durable.
    template <class R>
    future<R> start(activity_call<R> call) const
    {
        return start(run(std::move(call)));
    }

    /// Starts any operation at once: a timer that goes on while others are awaited, or the place of
    /// a receive in the queue.
    ///
    ///     auto deadline = ctx.start(ctx.sleep(24h));
    ///     … co_await select(deadline, ctx.receive(shop::bid)) … // in a loop
    template <class T>
    future<T> start(operation<T> lazy) const
    {
        detail::start(*lazy.state());
        return future<T>(std::move(lazy));
    }

    /// Runs a task beside the one that calls this, from when that one next waits: `auto label =
    /// ctx.spawn(print_label(ctx, order));`. A statement of its own, not an argument: compilers
    /// evaluate arguments in opposite orders, and the order in which tasks run is durable.
    ///
    /// The task runs until it ends, or until the run does: then its frame is destroyed where it is.
    /// What it gives is kept in memory and need not be encodable; a replay computes it again. What
    /// it refers to must outlive it.
    template <class T>
    spawned<T> spawn(task<T>&& work) const
    {
        auto state = std::make_shared<detail::typed_spawned_state<T>>(*run_, std::move(work));
        state->start();
        return spawned<T>(std::move(state));
    }

    /// The same for a function of a context and these arguments that returns a task: it gets this
    /// context, and is kept, with copies of the arguments, as long as the task runs. So this is
    /// where a coroutine may be a lambda with captures.
    ///
    ///     ctx.spawn(print_label, order);
    ///     ctx.shielded().spawn(clean_up, order); // no cancellation interrupts its operations
    template <class F, class... A>
        requires(!detail::is_task<F>)
    auto spawn(F&& function, A&&... arguments) const
    {
        using stored = std::remove_cvref_t<F>;
        constexpr bool reused = detail::is_task<stored>;
        constexpr bool valid = detail::makes_task<std::decay_t<F>, std::decay_t<A>...>();
        static_assert(!reused, "perdure: a task is spawned once; write ctx.spawn(std::move(task))");
        static_assert(
            reused || valid, "perdure: spawn takes a task, or a function that takes "
                             "perdure::context and then these arguments and returns a task");
        static_assert(
            !detail::compiler_is_gcc12 ||
                ((std::is_lvalue_reference_v<F> || std::is_trivially_destructible_v<F>) && ... &&
                 (!detail::destroyed_twice_by_gcc12<A>)),
            "perdure: GCC 12 destroys a temporary closure or aggregate beside co_await twice; give "
            "it a name and pass the named object");
        if constexpr (!reused && valid) {
            using made = std::invoke_result_t<std::decay_t<F>&, context, std::decay_t<A>...>;
            return spawn(
                detail::run_owned<typename made::value_type, std::decay_t<F>, std::decay_t<A>...>(
                    std::forward<F>(function), *this, std::forward<A>(arguments)...));
        } else {
            return detail::refused_awaitable();
        }
    }

    /// Waits for a signal: the first of this name that was sent to the instance and not received
    /// yet, whether it comes later or has come before. Each signal is received once, in the order
    /// of arrival.
    template <fixed_string Name, class T>
    operation<T> receive(const signal<Name, T>& definition) const
    {
        return operation<T>(detail::make_receive(*run_, shield_, definition.name()));
    }

    /// Waits for a time. Zero or less does not wait and records nothing.
    operation<void> sleep(std::chrono::microseconds duration) const
    {
        return operation<void>(detail::make_timer(*run_, shield_, duration));
    }

    /// The time at which the event the workflow is working on was delivered, by the database's
    /// clock. It stands still between two awaits and never goes backwards.
    timestamp now() const noexcept;

    /// A new UUID: of version 5, made of the instance's id, its run, its start and a counter, so
    /// that it is the same whenever this point is replayed. Nothing is recorded.
    boost::uuids::uuid uuid() const;

    /// Sixty-four random bits, the same whenever this point is replayed. Nothing is recorded: they
    /// are drawn from a sequence that follows from the instance's id, its run and its start, one
    /// for each call, in the order of the calls. Not for secrets.
    ///
    /// The algorithm is part of what is durable: SplitMix64, with the exclusive or of the halves
    /// (big-endian) of the run's UUID number 0 as its first state.
    std::uint64_t random() const;

    /// A random integer from `low` to `high`, both included, each as likely: random() in as many
    /// low bits as `high - low` has, drawn again until it is not greater than that; `low` itself
    /// without a draw if both are equal.
    /// \throws error errc::invalid_argument when `high` is less than `low`.
    template <std::integral T>
    T uniform(T low, T high) const
    {
        if (high < low) detail::refuse_bounds(std::to_string(low), std::to_string(high));
        const auto base = static_cast<std::uint64_t>(low);
        const std::uint64_t most = static_cast<std::uint64_t>(high) - base;
        return static_cast<T>(base + detail::draw_up_to(*run_, most));
    }

    /// A random number that is at least `low` and less than `high`: the upper 53 bits of random()
    /// as a fraction of `high - low`, added to `low` with one rounding, drawn again if that gives
    /// `high`; `low` itself without a draw if both are equal.
    /// \throws error errc::invalid_argument when `high` is less than `low`, or their difference is
    /// not finite.
    template <std::same_as<double> T>
    T uniform(T low, T high) const
    {
        return uniform_number(low, high);
    }

    /// Brings the elements of a random-access range into a random order, each as likely: from the
    /// last down to the second, each is swapped with one drawn by uniform() from the first to
    /// itself.
    template <class Range>
    void shuffle(Range&& range) const
    {
        const auto first = std::begin(range);
        for (auto left = std::end(range) - first; left > 1; --left) {
            std::iter_swap(first + (left - 1), first + uniform<decltype(left)>(0, left - 1));
        }
    }

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
    auto side_effect(F&& function) const
    {
        using value = std::remove_cvref_t<std::invoke_result_t<F&>>;
        constexpr bool encodable = payload_type<value>;
        static_assert(
            encodable, "perdure: what this side effect returns cannot be encoded; describe it with "
                       "BOOST_DESCRIBE_STRUCT, or specialise perdure::conversion for it");
        static_assert(
            !detail::compiler_is_gcc12 || std::is_lvalue_reference_v<F> ||
                std::is_trivially_destructible_v<F>,
            "perdure: GCC 12 destroys a temporary closure with captures beside co_await twice; "
            "give it a name and pass the "
            "named object");
        if constexpr (encodable) {
            using erased = detail::typed_side_effect<std::remove_cvref_t<F>>;
            return operation<value>(detail::make_side_effect(
                *run_, shield_, std::make_unique<erased>(std::forward<F>(function))));
        } else {
            return detail::refused_awaitable();
        }
    }

    /// Ends this run and begins the instance's next one, with an empty history and these arguments.
    /// Awaiting it never returns: `co_return co_await ctx.continue_as_new(shop::poll(cursor));`.
    /// What is still running for this run is ignored when it ends; signals that were not received
    /// wait for the next run, and so does a cancellation that interrupted nothing. The id and the
    /// queue stay; those of the call are not used.
    template <class R>
    basic_operation<detail::no_outcome<R>> continue_as_new(workflow_call<R> call) const
    {
        return basic_operation<detail::no_outcome<R>>(
            detail::make_continuation(*run_, shield_, std::move(call)));
    }

    /// A context whose operations no cancellation interrupts: for compensation and clean-up.
    /// `co_await ctx.shielded().run(shop::refund(payment));`. Give it to a helper, and all that the
    /// helper does is shielded. A failed \ref when_all and a decided \ref select cancel their
    /// operands, shielded ones too: give them a future, `ctx.start(ctx.shielded().run(…))`.
    context shielded() const noexcept
    {
        context same = *this;
        same.shield_ = detail::shield::on;
        return same;
    }

    /// Id, queue and run of the instance; valid as long as the run.
    const instance_info& info() const noexcept;

private:
    double uniform_number(double low, double high) const;

    detail::runtime* run_;
    detail::shield shield_ = detail::shield::off;
};

namespace detail {

template <class T, class F, class... A>
task<T> run_owned(F function, context ctx, A... arguments)
{
    co_return co_await std::invoke(function, ctx, std::move(arguments)...);
}

} // namespace detail

} // namespace perdure
