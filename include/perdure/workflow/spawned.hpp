// A task that runs beside the one that spawned it.
#pragma once

#include <perdure/config.hpp>
#include <perdure/workflow/detail/adapted.hpp>
#include <perdure/workflow/detail/completion.hpp>
#include <perdure/workflow/detail/group_wait.hpp>
#include <perdure/workflow/detail/task_promise.hpp>
#include <perdure/workflow/task.hpp>

#include <chrono>
#include <concepts>
#include <coroutine>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

namespace perdure {

template <class T>
class spawned;

namespace detail {

/// A spawned task: kept by the run until it has ended, its outcome by whoever may await it.
class PERDURE_DECL spawned_state : public completion,
                                   public task_observer,
                                   public std::enable_shared_from_this<spawned_state>
{
public:
    explicit spawned_state(runtime& run) noexcept : run_(&run) {}
    virtual ~spawned_state() = default;

    /// Makes the task ready, unless the run takes no commands any more.
    void start();

    /// Destroys the frame, if the task has not ended.
    virtual void drop() noexcept = 0;

    runtime& run() const noexcept { return *run_; }

private:
    void task_ended() final;

    virtual task_promise_base& promise() const noexcept = 0;

    /// Takes the outcome out of the frame, which is given up.
    virtual std::coroutine_handle<> end() = 0;

    runtime* run_;
    std::uint64_t number_ = 0; // among the spawned tasks of the run
};

template <class T>
class typed_spawned_state final : public spawned_state
{
public:
    typed_spawned_state(runtime& run, task<T> work)
        : spawned_state(run), work_(std::in_place, std::move(work))
    {}

    void drop() noexcept override { work_.reset(); }

    /// The value: a copy, or itself if it can only be moved; or throws what the task threw.
    T take()
    {
        if (exception_) std::rethrow_exception(exception_);
        if constexpr (std::copy_constructible<T>)
            return *value_;
        else if constexpr (!std::is_void_v<T>)
            return std::move(*value_);
    }

private:
    task_promise_base& promise() const noexcept override { return work_->promise(); }

    std::coroutine_handle<> end() override
    {
        try {
            if constexpr (std::is_void_v<T>)
                work_->promise().take();
            else
                value_.emplace(work_->promise().take());
        } catch (...) {
            exception_ = std::current_exception();
        }
        return work_->release();
    }

    std::optional<task<T>> work_;
    std::optional<stored<T>> value_;
    std::exception_ptr exception_;
};

class PERDURE_DECL spawned_wait : public completion_wait
{
public:
    explicit spawned_wait(spawned_state& awaited) noexcept : awaited_(&awaited) {}

    std::uint64_t completed() const noexcept final;
    bool interrupted_by_scope() const noexcept final;

protected:
    /// Throws if the wait was interrupted.
    void check() const;

private:
    bool start(cancel_scope& scope) final;
    bool cancel() final;
    void withdraw_awaited() final {}

    spawned_state* awaited_;
};

template <class T>
class spawned_awaiter : public spawned_wait
{
public:
    using value_type = T;

    explicit spawned_awaiter(const spawned<T>& from) noexcept
        : spawned_wait(*from.state()), state_(from.state())
    {}

    T await_resume()
    {
        check();
        return state_->take();
    }

private:
    std::shared_ptr<typed_spawned_state<T>> state_;
};

} // namespace detail

/// A task that was given to context::spawn: it runs by itself, and may be awaited later, never, or
/// more than once, with the same outcome each time (a T that can only be moved: once, as an
/// rvalue).
///
/// Copies stand for the same task. Destroying it stops nothing. An exception that leaves the task
/// is thrown where it is awaited; if it never is, it ends with the run, whose outcome is that of
/// the workflow's own coroutine. A cancellation of the instance is thrown inside the task; whoever
/// awaits it sees what it makes of that. Must not outlive the coroutine of the workflow.
template <class T = void>
class spawned
{
public:
    using value_type = T;

    /// For the library.
    explicit spawned(std::shared_ptr<detail::typed_spawned_state<T>> state) noexcept
        : state_(std::move(state))
    {}

    /// The same, an exception as a value: awaiting it gives perdure::result. One that is not
    /// derived from \ref failed becomes an \ref application_failure that describes it.
    auto as_result() const { return detail::caught<spawned>(*this); }

    /// The same, awaited for so long at most: awaiting it gives an optional, for void a bool, which
    /// is empty (false) when the time ran out first. The task goes on then.
    auto within(std::chrono::microseconds limit) const
    {
        return detail::limited<spawned>(*this, limit);
    }

    /// Awaits the outcome.
    auto operator co_await() const { return detail::spawned_awaiter<T>(*this); }

    /// For the library.
    const std::shared_ptr<detail::typed_spawned_state<T>>& state() const noexcept { return state_; }

private:
    std::shared_ptr<detail::typed_spawned_state<T>> state_;
};

namespace detail {

template <class T>
struct wait_type<spawned<T>>
{
    using type = spawned_awaiter<T>;
};

template <class T>
inline constexpr bool awaitable_in_workflow<spawned<T>> = true;
template <class T>
inline constexpr bool awaitable_once<spawned<T>> =
    !std::is_void_v<T> && !std::copy_constructible<T>;

} // namespace detail

} // namespace perdure
