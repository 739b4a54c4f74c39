// What the promises of all tasks have in common: whom to resume, and through which queue.
#pragma once

#include <perdure/config.hpp>
#include <perdure/workflow/detail/cancel_scope.hpp>

#include <perdure/workflow/detail/link.hpp>

#include <coroutine>
#include <exception>
#include <type_traits>
#include <utility>

namespace perdure {

class untyped_activity_call;

namespace detail {

/// Whether a type can stand after co_await in a workflow.
template <class T>
inline constexpr bool awaitable_in_workflow = false;

/// Whether it can be awaited only once, and so only as an rvalue.
template <class T>
inline constexpr bool awaitable_once = false;

/// What a refused co_await is replaced with, so that the one sentence is the only error.
struct refused_awaiter
{
    struct anything
    {
        template <class T>
        operator T() const;
    };

    static constexpr bool await_ready() noexcept { return true; }
    static constexpr void await_suspend(std::coroutine_handle<>) noexcept {}
    static anything await_resume() noexcept { return {}; }
};

/// Told when a task has ended that no coroutine awaits by itself.
class task_observer
{
public:
    virtual void task_ended() = 0;

protected:
    ~task_observer() = default;
};

/// The untyped part of a task's promise; as a node it is the parked coroutine in the ready queue.
///
/// A coroutine is only ever resumed out of the ready queue: a child that is started and a parent
/// whose child has ended are put at its end. The depth of the stack so does not depend on what a
/// workflow does.
class PERDURE_DECL task_promise_base : public link
{
public:
    std::suspend_always initial_suspend() const noexcept { return {}; }

    auto final_suspend() const noexcept
    {
        struct awaiter
        {
            task_promise_base* parent;
            task_observer* observer;
            static bool await_ready() noexcept { return false; }
            void await_suspend(std::coroutine_handle<>) const noexcept
            {
                if (parent != nullptr) parent->make_ready();
                if (observer != nullptr) observer->task_ended();
            }
            static void await_resume() noexcept {}
        };
        return awaiter{parent_, observer_};
    }

    void unhandled_exception() noexcept { exception_ = std::current_exception(); }

    template <class Awaited>
    decltype(auto) await_transform(Awaited&& awaited) const noexcept
    {
        using type = std::remove_cvref_t<Awaited>;
        constexpr bool known = awaitable_in_workflow<type>;
        constexpr bool reused = awaitable_once<type> && std::is_lvalue_reference_v<Awaited>;
        constexpr bool call = std::is_base_of_v<untyped_activity_call, type>;
        static_assert(
            !call, "perdure: an activity call does nothing by itself; write co_await "
                   "ctx.run(shop::charge(order))");
        static_assert(
            known || call,
            "perdure: a workflow can await only what its context gives out and perdure::task; "
            "whatever touches the world "
            "(files, sockets, timers of Asio, other coroutine types) belongs into an activity");
        static_assert(
            !reused, "perdure: a task is awaited once, and so is what when_all and select make of "
                     "several; write co_await std::move(it)");
        if constexpr (known && !reused)
            return std::forward<Awaited>(awaited);
        else
            return refused_awaiter();
    }

    /// Ties the coroutine to what it is cancelled with, and to the one that awaits it (null: the
    /// run itself).
    void attach(cancel_scope& scope, task_promise_base* parent) noexcept
    {
        scope_ = &scope;
        parent_ = parent;
    }

    /// The same, for one that nobody awaits by himself.
    void attach(cancel_scope& scope, task_observer& observer) noexcept
    {
        scope_ = &scope;
        observer_ = &observer;
    }

    cancel_scope& scope() const noexcept { return *scope_; }

    /// Puts the coroutine at the end of the ready queue.
    void make_ready() noexcept;

    /// The coroutine itself.
    std::coroutine_handle<> handle() const noexcept { return handle_; }

    void resume() const { handle_.resume(); }
    bool done() const noexcept { return handle_.done(); }

    void rethrow_if_failed() const
    {
        if (exception_) std::rethrow_exception(exception_);
    }

protected:
    explicit task_promise_base(std::coroutine_handle<> self) noexcept : handle_(self) {}
    ~task_promise_base() = default;

private:
    std::coroutine_handle<> handle_;
    cancel_scope* scope_ = nullptr;
    task_promise_base* parent_ = nullptr;
    task_observer* observer_ = nullptr;
    std::exception_ptr exception_;
};

/// Whether a coroutine handle belongs to a task.
template <class Promise>
concept task_promise_type = std::is_base_of_v<task_promise_base, Promise>;

} // namespace detail

} // namespace perdure
