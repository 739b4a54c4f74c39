// A wait: what stands behind co_await for everything but a task. Waits can be parts of others, and
// so when_all, select and time limits are made.
#pragma once

#include <perdure/config.hpp>
#include <perdure/workflow/detail/cancel_scope.hpp>
#include <perdure/workflow/detail/task_promise.hpp>

#include <coroutine>
#include <cstddef>
#include <cstdint>

namespace perdure::detail {

/// The wait that waits for this type of awaitable: `type`, constructed from the awaitable.
template <class Awaitable>
struct wait_type;

template <class Awaitable>
using wait_for = typename wait_type<Awaitable>::type;

/// Told when a wait that it is made of is over.
class wait_parent
{
public:
    virtual void child_over(std::size_t index) = 0;

protected:
    ~wait_parent() = default;
};

/// One wait, in the frame of the coroutine that waits. It is begun once, and over once.
///
/// A derived class also has `value_type` and `value_type await_resume()`, which gives the outcome,
/// or throws it, once the wait is over.
class PERDURE_DECL wait
{
public:
    wait() noexcept = default;
    wait(const wait&) = delete;
    wait& operator=(const wait&) = delete;
    virtual ~wait() = default;

    static constexpr bool await_ready() noexcept { return false; }

    template <task_promise_type Promise>
    bool await_suspend(std::coroutine_handle<Promise> waiting)
    {
        waiting_ = &waiting.promise();
        return !begin(waiting_->scope());
    }

    /// Before it begins: whom to tell that it is over, instead of a coroutine.
    void join(wait_parent& parent, std::size_t index) noexcept
    {
        parent_ = &parent;
        index_ = index;
    }

    /// Starts what is waited for. True when there is nothing to wait for; nobody is told then.
    bool begin(cancel_scope& scope);

    /// The outcome is not needed any more: what was started for this wait is cancelled.
    /// \returns whether it was under way and is over now. If it was and is not, it ends later and
    /// tells then.
    bool give_up();

    /// The same because a time limit ran out.
    bool run_out_of_time();

    /// Which in the order of completions of the run was that of what is waited for, known before
    /// this wait has begun; 0: it is not complete.
    virtual std::uint64_t completed() const noexcept { return 0; }

protected:
    /// It is over: resumes the coroutine or tells the parent.
    void over();

private:
    enum class state : unsigned char
    {
        idle,
        under_way,
        over
    };

    /// What \ref begin and \ref give_up ask for; true when it is over.
    virtual bool start(cancel_scope& scope) = 0;
    virtual bool cancel() = 0;
    virtual bool abandon() { return cancel(); }

    task_promise_base* waiting_ = nullptr; // one of the two
    wait_parent* parent_ = nullptr;
    std::size_t index_ = 0;
    state state_ = state::idle;
};

} // namespace perdure::detail
