// Waits for several things at once: the core of when_all and select.
#pragma once

#include <perdure/config.hpp>
#include <perdure/workflow/detail/cancel_scope.hpp>
#include <perdure/workflow/detail/wait.hpp>

#include <cstddef>
#include <exception>
#include <optional>
#include <span>
#include <type_traits>
#include <utility>
#include <variant>

namespace perdure::detail {

/// A wait whose operands are waits, started in their order.
///
/// Once it is decided, by one of them or because nobody needs it any more, the others are given
/// up: operations are cancelled at once, tasks get it thrown. The group is over when all have
/// ended, so that no task is ever left behind, and none destroyed half way.
class PERDURE_DECL group_wait : public wait, public wait_parent
{
protected:
    bool start(cancel_scope& scope) override;

    virtual std::span<wait* const> operands() noexcept = 0;

private:
    /// Takes note that an operand is over; true when that decides the group.
    virtual bool settle(std::size_t index) = 0;

    bool cancel() final;
    void child_over(std::size_t index) final;
    void decide();

    runtime* run_ = nullptr;
    std::size_t active_ = 0; // operands that were started and are not over
    bool decided_ = false;
};

/// Waits for all operands, or for the first that fails.
class PERDURE_DECL all_wait : public group_wait
{
protected:
    /// Throws what the first operand that failed threw.
    void rethrow_if_failed() const
    {
        if (failure_) std::rethrow_exception(failure_);
    }

private:
    /// Takes the operand's value, or throws.
    virtual void take(std::size_t index) = 0;

    bool settle(std::size_t index) final;

    std::exception_ptr failure_;
};

/// Waits for the first operand. Of those that are complete before it begins, that is the one that
/// was complete first.
class PERDURE_DECL any_wait : public group_wait
{
protected:
    std::size_t winner() const noexcept { return winner_; }

private:
    bool start(cancel_scope& scope) final;
    bool settle(std::size_t index) final;

    std::size_t winner_ = 0;
};

/// A value as it is kept beside others.
template <class T>
using stored = std::conditional_t<std::is_void_v<T>, std::monostate, T>;

template <class Wait>
stored<typename Wait::value_type> take_stored(Wait& from)
{
    if constexpr (std::is_void_v<typename Wait::value_type>) {
        from.await_resume();
        return {};
    } else {
        return from.await_resume();
    }
}

/// What stands for an awaitable that was refused, so that the one sentence is the only error.
struct refused_awaitable
{
    template <class... Anything>
    refused_awaitable as_result(Anything&&...) const;
    template <class... Anything>
    refused_awaitable within(Anything&&...) const;
    refused_awaiter operator co_await() const { return {}; }
};

template <>
inline constexpr bool awaitable_in_workflow<refused_awaitable> = true;

/// What can be an operand.
template <class T>
concept operand = requires { typename wait_type<T>::type; };

template <class... Operands>
constexpr bool check_operands()
{
    constexpr bool known = (operand<std::remove_cvref_t<Operands>> && ...);
    constexpr bool moved =
        (!(awaitable_once<std::remove_cvref_t<Operands>> && std::is_lvalue_reference_v<Operands>) &&
         ...);
    static_assert(
        known, "perdure: when_all and select take what a workflow can await: operations, futures, "
               "spawned tasks and tasks; a call of an activity goes through ctx.run first");
    static_assert(
        moved, "perdure: a task is awaited once; give it to when_all or select with std::move");
    return known && moved;
}

} // namespace perdure::detail
