// What is complete at one moment of a run, an operation or a spawned task, and the waits for it.
#pragma once

#include <perdure/config.hpp>
#include <perdure/workflow/detail/cancel_scope.hpp>
#include <perdure/workflow/detail/link.hpp>
#include <perdure/workflow/detail/wait.hpp>

#include <cstdint>

namespace perdure::detail {

class runtime;

/// A completion's list of waits has nodes of this type.
class waiter_link : public link
{};

/// A run's list of waits that a cancellation interrupts has nodes of this type.
class interruptible_link : public link
{};

/// Completes once, and wakes those that wait for it in the order in which they began to.
class PERDURE_DECL completion
{
public:
    completion() noexcept = default;
    completion(const completion&) = delete;
    completion& operator=(const completion&) = delete;

    bool done() const noexcept { return order_ != 0; }

    /// Its place in the order of completions of the run, from 1; 0: it is not complete.
    std::uint64_t order() const noexcept { return order_; }

    bool awaited() const noexcept { return waiters_.linked(); }
    void add_waiter(waiter_link& waiter) noexcept { waiters_.push_back(waiter); }

protected:
    ~completion() = default;
    void complete(runtime& run);

private:
    link waiters_;
    std::uint64_t order_ = 0;
};

/// A wait for a completion, which a cancellation can interrupt.
class PERDURE_DECL completion_wait : public wait, public waiter_link, public interruptible_link
{
public:
    /// What was waited for is complete.
    void wake();

    /// Whether the scope's cancellation ends this wait.
    virtual bool interrupted_by_scope() const noexcept = 0;

    /// An interruption comes in two steps, so that it reaches all waits before any of them has
    /// consequences: first what was waited for is withdrawn,
    void withdraw();

    /// then the wait is over.
    void end_interrupted();

    bool interrupted() const noexcept { return interrupted_; }

protected:
    /// True when the wait is interrupted before it has begun.
    bool enter(cancel_scope& scope);

    /// Waits, now that it is not complete.
    void park(completion& awaited, bool interruptible);

    /// Waits no more.
    void leave() noexcept;

    const cancel_scope& scope() const noexcept { return *scope_; }

private:
    /// Nobody waits in this place any more.
    virtual void withdraw_awaited() = 0;

    cancel_scope* scope_ = nullptr;
    bool interrupted_ = false;
};

} // namespace perdure::detail
