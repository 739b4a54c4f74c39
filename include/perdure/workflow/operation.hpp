// What the functions of a context give out: an operation, lazy until it is awaited.
#pragma once

#include <perdure/workflow/detail/adapted.hpp>
#include <perdure/workflow/detail/outcome.hpp>
#include <perdure/workflow/detail/task_promise.hpp>

#include <chrono>
#include <memory>
#include <utility>

namespace perdure {

/// Something a workflow can await.
///
/// Nothing is recorded and nothing happens until it is awaited; then its command is emitted, and
/// the coroutine goes on when the outcome has arrived, in whatever process that is. Made by a \ref
/// context; must not outlive the coroutine of the workflow. Copies stand for the same operation.
///
/// Awaiting it gives the value or throws what the context's function says. In every form, also
/// as_result(), a recorded value that is not of the expected type is thrown as error
/// (errc::malformed_payload).
///
/// Once the instance was asked to end, awaiting it throws \ref cancelled, whether it was awaited
/// already or is only now, unless it was made by context::shielded(). What was waited for is
/// withdrawn: a timer is cancelled, a signal is left to others, an activity is no longer wanted.
/// What is not started yet is not started. A sleep or a receive that is awaited again (shielded)
/// begins anew.
///
/// \tparam Outcome what awaiting it gives; \ref operation names the usual one.
template <class Outcome>
class [[nodiscard("an operation does nothing until it is awaited: co_await it")]] basic_operation
{
public:
    /// What awaiting it gives.
    using value_type = typename Outcome::type;

    /// For the library.
    explicit basic_operation(std::shared_ptr<detail::operation_state> state) noexcept
        : state_(std::move(state))
    {}

    /// The same operation, its failure, a cancellation included, as a value: awaiting it gives
    /// perdure::result.
    auto as_result() const
        requires requires { typename Outcome::as_result; }
    {
        return basic_operation<typename Outcome::as_result>(state_);
    }

    /// The same operation, awaited for so long at most: awaiting it gives an optional of the value,
    /// for void a bool, which is empty (false) when the time ran out first.
    ///
    /// The time is that of a durable timer, started when the operation is awaited; none is started
    /// when the outcome is there already. With a limit of zero or less the operation is started and
    /// looked at, not waited for. An activity whose time ran out goes on, its outcome is ignored (a
    /// \ref select with a sleep would cancel it); a signal that comes too late stays for the next
    /// receive.
    auto within(std::chrono::microseconds limit) const
        requires Outcome::arrives
    {
        return detail::limited<basic_operation>(*this, limit);
    }

    /// Awaits the outcome.
    auto operator co_await() const { return detail::operation_awaiter<Outcome>(*this); }

    /// For the library.
    const std::shared_ptr<detail::operation_state>& state() const noexcept { return state_; }

private:
    std::shared_ptr<detail::operation_state> state_;
};

/// An operation whose outcome is a T, or an exception.
template <class T>
using operation = basic_operation<detail::plain_outcome<T>>;

/// An operation that was started and may be awaited later, never, or more than once, with the same
/// outcome each time.
///
/// Copies stand for the same operation. Must not outlive the coroutine of the workflow. Destroying
/// it stops nothing, and neither does a \ref select that another one wins. Only while it is awaited
/// does a cancellation of the instance reach it.
template <class T>
class future
{
public:
    using value_type = T;

    /// For the library: of an operation that was started.
    explicit future(operation<T> started) noexcept : started_(std::move(started)) {}

    /// \copydoc basic_operation::as_result
    auto as_result() const { return started_.as_result(); }

    /// \copydoc basic_operation::within
    auto within(std::chrono::microseconds limit) const { return started_.within(limit); }

    /// Awaits the outcome.
    auto operator co_await() const { return started_.operator co_await(); }

    /// For the library.
    const std::shared_ptr<detail::operation_state>& state() const noexcept
    {
        return started_.state();
    }

private:
    operation<T> started_;
};

namespace detail {

template <class T>
struct wait_type<future<T>>
{
    using type = operation_awaiter<plain_outcome<T>>;
};

template <class T>
inline constexpr bool awaitable_in_workflow<future<T>> = true;

} // namespace detail

} // namespace perdure
