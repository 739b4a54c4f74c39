// The operations of a run: what a workflow can start and wait for.
#pragma once

#include <perdure/workflow/context.hpp>
#include <perdure/workflow/detail/link.hpp>
#include <perdure/workflow/detail/operation_wait.hpp>
#include <perdure/workflow/failed.hpp>
#include <perdure/workflow/payload.hpp>
#include <perdure/workflow/timestamp.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

namespace perdure::detail {

class runtime;

/// Created, started, completed: an operation goes this way once. Owned by whoever may still await
/// it, and by the runtime while its outcome may still arrive.
class operation_state : public std::enable_shared_from_this<operation_state>
{
public:
    explicit operation_state(runtime& run) noexcept : run_(&run) {}
    operation_state(const operation_state&) = delete;
    operation_state& operator=(const operation_state&) = delete;
    virtual ~operation_state() = default;

    runtime& run() const noexcept { return *run_; }
    bool done() const noexcept { return done_; }

    /// Starts it, unless that was done before or the run takes no commands any more.
    void start();

    /// The outcome has arrived: wakes those that wait, in the order in which they began to.
    void complete(wait_ending ending, payload data) noexcept;

    /// Nobody waits any more: the time ran out.
    virtual void abandon() noexcept {}

    wait_ending ending() const noexcept { return ending_; }
    const payload& data() const noexcept { return data_; }

    /// Whose value it is, for messages: `signal approve`.
    virtual std::string name() const { return "an operation"; }

    /// The exception for a failure.
    virtual std::shared_ptr<const failed> failure() const;

    void add_waiter(link& waiter) noexcept { waiters_.push_back(waiter); }

protected:
    /// As if it had not been started.
    void reset() noexcept { started_ = false; }

    /// Emits the command. The run takes commands.
    virtual void begin() = 0;

private:
    runtime* run_;
    link waiters_;
    payload data_;
    wait_ending ending_ = wait_ending::value;
    bool started_ = false;
    bool done_ = false;
};

class activity_operation final : public operation_state
{
public:
    activity_operation(runtime& run, untyped_activity_call call);
    std::string name() const override { return "the result of activity " + call_.name(); }
    std::shared_ptr<const failed> failure() const override;

private:
    void begin() override;

    untyped_activity_call call_;
};

class timer_operation final : public operation_state
{
public:
    timer_operation(runtime& run, std::chrono::microseconds duration) noexcept
        : operation_state(run), duration_(duration)
    {}

    /// Records that nobody waits for it, if it has not fired.
    void cancel();

    std::int32_t number() const noexcept { return number_; }
    timestamp due() const noexcept { return due_; }

private:
    void begin() override;

    std::chrono::microseconds duration_;
    std::int32_t number_ = 0; // 0: it never started
    timestamp due_{};
};

/// A receive; as a node it is in the list of those that wait for this signal.
class receive_operation final : public operation_state, public link
{
public:
    receive_operation(runtime& run, std::string_view signal) : operation_state(run), signal_(signal)
    {}

    std::string name() const override { return "signal " + signal_; }

    /// Leaves the signals to others; awaited again, it begins anew.
    void abandon() noexcept override
    {
        unlink();
        reset();
    }

private:
    void begin() override;

    std::string signal_;
};

class side_effect_operation final : public operation_state
{
public:
    side_effect_operation(runtime& run, std::unique_ptr<side_effect_function> function) noexcept
        : operation_state(run), function_(std::move(function))
    {}

    std::string name() const override { return "a side effect"; }
    std::shared_ptr<const failed> failure() const override;

private:
    void begin() override;

    std::unique_ptr<side_effect_function> function_;
};

/// Continue-as-new; never completes.
class continuation final : public operation_state
{
public:
    continuation(runtime& run, untyped_workflow_call call)
        : operation_state(run), call_(std::move(call))
    {}

private:
    void begin() override;

    untyped_workflow_call call_;
};

} // namespace perdure::detail
