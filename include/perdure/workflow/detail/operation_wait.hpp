// The untyped awaiter under every operation: starts it, parks the coroutine, races a timer when one
// was asked for.
#pragma once

#include <perdure/config.hpp>
#include <perdure/workflow/detail/link.hpp>
#include <perdure/workflow/detail/task_promise.hpp>
#include <perdure/workflow/failed.hpp>
#include <perdure/workflow/payload.hpp>

#include <chrono>
#include <coroutine>
#include <memory>
#include <optional>

namespace perdure::detail {

class operation_state;

/// How a wait ended.
enum class wait_ending : unsigned char
{
    value,
    failure,
    timed_out
};

/// A wait for one operation, in the frame of the coroutine that waits.
class PERDURE_DECL operation_wait
{
public:
    operation_wait(
        std::shared_ptr<operation_state> operation,
        std::optional<std::chrono::microseconds> limit) noexcept;
    operation_wait(const operation_wait&) = delete;
    operation_wait& operator=(const operation_wait&) = delete;
    ~operation_wait();

    /// Starts the operation, unless it was started before; true when there is nothing to wait for.
    bool await_ready();

    template <task_promise_type Promise>
    void await_suspend(std::coroutine_handle<Promise> waiting)
    {
        park(waiting.promise());
    }

    /// After the wait: how it ended. A timer that lost the race is cancelled here.
    wait_ending finish();

    /// The value; the operation must have completed with one.
    const payload& value() const noexcept;

    /// Throws the error again, with the operation's name before its sentence.
    [[noreturn]] void rethrow_named(const error& refused) const;

    /// The failure as the exception that is thrown for it; the operation must have failed.
    std::shared_ptr<const failed> failure() const;

private:
    friend class operation_state;

    /// This wait in the list of those that wait for an operation.
    class entry : public link
    {
    public:
        explicit entry(operation_wait& owner) noexcept : owner_(&owner) {}
        operation_wait& owner() const noexcept { return *owner_; }

    private:
        operation_wait* owner_;
    };

    void park(task_promise_base& waiting);
    void wake(const operation_state& completed) noexcept;

    std::shared_ptr<operation_state> operation_;
    std::shared_ptr<operation_state> timer_;
    std::optional<std::chrono::microseconds> limit_;
    task_promise_base* waiting_ = nullptr;
    entry on_operation_{*this};
    entry on_timer_{*this};
    bool timed_out_ = false;
};

} // namespace perdure::detail
