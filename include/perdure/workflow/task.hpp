// The coroutine type of workflows, and of the helpers they are made of.
#pragma once

#include <perdure/config.hpp>

#include <perdure/workflow/detail/task_promise.hpp>
#include <perdure/workflow/detail/wait.hpp>

#include <coroutine>
#include <optional>
#include <type_traits>
#include <utility>

#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ < 13 && !defined(PERDURE_GCC12)
#warning                                                                                           \
    "GCC before 13 miscompiles some coroutines, silently: use Clang 16 or GCC 13, or read docs/compilers.md and define PERDURE_GCC12"
#endif

namespace perdure {

template <class T>
class task;

namespace detail {

template <class T>
class task_promise final : public task_promise_base
{
public:
    task_promise() noexcept
        : task_promise_base(std::coroutine_handle<task_promise>::from_promise(*this))
    {}

    task<T> get_return_object() noexcept;

    template <class From = T>
        requires std::is_convertible_v<From, T>
    void return_value(From&& value)
    {
        value_.emplace(std::forward<From>(value));
    }

    T take()
    {
        rethrow_if_failed();
        return std::move(*value_);
    }

private:
    std::optional<T> value_;
};

template <>
class PERDURE_DECL task_promise<void> final : public task_promise_base
{
public:
    task_promise() noexcept
        : task_promise_base(std::coroutine_handle<task_promise>::from_promise(*this))
    {}

    task<void> get_return_object() noexcept;
    void return_void() const noexcept {}
    void take() const { rethrow_if_failed(); }
};

/// Waits for a child task.
template <class T>
class task_awaiter
{
public:
    explicit task_awaiter(std::coroutine_handle<task_promise<T>> child) noexcept : child_(child) {}

    static bool await_ready() noexcept { return false; }

    template <task_promise_type Promise>
    void await_suspend(std::coroutine_handle<Promise> parent) const noexcept
    {
        child_.promise().attach(parent.promise().scope(), &parent.promise());
        child_.promise().make_ready();
    }

    T await_resume() const { return child_.promise().take(); }

private:
    std::coroutine_handle<task_promise<T>> child_;
};

} // namespace detail

/// A workflow's coroutine, or a part of one.
///
/// The function that implements a workflow returns a task of its result, takes a perdure::context,
/// and may await other tasks, any number deep, inside which the same rules hold: a task can await
/// only what the context gives out and other tasks. Anything else is refused at compile time.
///
/// A task is lazy: it runs when it is awaited, `co_await helper(ctx, order)`, once; context::spawn,
/// \ref when_all and \ref select run it beside others. An exception that leaves it is thrown where
/// it was awaited. A cancellation is thrown inside it, where it awaits an operation, not where it
/// is awaited. Parameters of the coroutine should be taken by value: a reference parameter must
/// outlive the task. A task that is destroyed destroys its frame, its locals included, at whatever
/// point it had reached; that happens to all tasks of an instance that is evicted from a worker's
/// memory, and the destructors of their locals then find a context that ignores them.
template <class T = void>
class [[nodiscard("a task does nothing until it is awaited: co_await it")]] task
{
public:
    using promise_type = detail::task_promise<T>;
    using value_type = T;

    task(task&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}

    task& operator=(task&& other) noexcept
    {
        task(std::move(other)).swap(*this);
        return *this;
    }

    ~task()
    {
        if (handle_) handle_.destroy();
    }

    void swap(task& other) noexcept { std::swap(handle_, other.handle_); }

    /// Runs the task and gives its result; used as `co_await helper(…)`.
    auto operator co_await() && noexcept { return detail::task_awaiter<T>(handle_); }

    /// The promise, for the library.
    promise_type& promise() const noexcept { return handle_.promise(); }

    /// Gives up the frame to whoever destroys it; for the library.
    std::coroutine_handle<> release() noexcept { return std::exchange(handle_, nullptr); }

private:
    friend promise_type;
    explicit task(std::coroutine_handle<promise_type> handle) noexcept : handle_(handle) {}

    std::coroutine_handle<promise_type> handle_;
};

namespace detail {

/// Waits for a task that runs beside others. When it is not needed any more it is cancelled, in a
/// scope of its own, and waited for.
template <class T>
class task_wait final : public wait, public task_observer
{
public:
    using value_type = T;

    explicit task_wait(task<T>&& work) noexcept : work_(std::move(work)) {}

    T await_resume() { return work_.promise().take(); }

private:
    bool start(cancel_scope& scope) override
    {
        scope_.open(scope);
        work_.promise().attach(scope_, *this);
        work_.promise().make_ready();
        return false;
    }

    bool cancel() override
    {
        scope_.cancel();
        return false;
    }

    void task_ended() override { over(); }

    cancel_scope scope_;
    task<T> work_;
};

template <class T>
struct wait_type<task<T>>
{
    using type = task_wait<T>;
};

template <class T>
inline constexpr bool awaitable_in_workflow<task<T>> = true;
template <class T>
inline constexpr bool awaitable_once<task<T>> = true;

template <class T>
task<T> task_promise<T>::get_return_object() noexcept
{
    return task<T>(std::coroutine_handle<task_promise>::from_promise(*this));
}

inline task<void> task_promise<void>::get_return_object() noexcept
{
    return task<void>(std::coroutine_handle<task_promise>::from_promise(*this));
}

} // namespace detail

} // namespace perdure
