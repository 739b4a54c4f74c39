// The operations of a run: what a workflow can start and wait for.
#pragma once

#include <perdure/workflow/context.hpp>
#include <perdure/workflow/detail/completion.hpp>
#include <perdure/workflow/detail/link.hpp>
#include <perdure/workflow/failed.hpp>
#include <perdure/workflow/payload.hpp>
#include <perdure/workflow/timestamp.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

namespace perdure::detail {

class runtime;

/// How an operation ended.
enum class operation_ending : unsigned char
{
    value,
    failure,
    cancelled
};

/// Why somebody waits no more for an operation.
enum class leaving : unsigned char
{
    timed_out,  ///< the time limit of the wait ran out
    lost,       ///< a group of waits no longer needs it
    interrupted ///< a cancellation interrupted the wait
};

/// Created, started, completed: an operation goes this way once, or back to its creation when it is
/// withdrawn and can begin anew. Owned by whoever may still await it, and by the runtime while its
/// outcome may still arrive.
class operation_state : public completion, public std::enable_shared_from_this<operation_state>
{
public:
    operation_state(runtime& run, shield guard) noexcept : run_(&run), shield_(guard) {}
    virtual ~operation_state() = default;

    runtime& run() const noexcept { return *run_; }
    bool shielded() const noexcept { return shield_ == shield::on; }

    /// Starts it, unless that was done before or the run takes no commands any more.
    void start();

    /// There is a future of it: it goes on when nobody waits.
    void keep() noexcept { kept_ = true; }

    /// A wait for it is no more. The last one withdraws it, unless it is kept: only the
    /// cancellation of the instance ends what there is a future of.
    void leave(leaving why);

    /// The outcome has arrived: wakes those that wait, in the order in which they began to.
    void complete(operation_ending ending, payload data);

    operation_ending ending() const noexcept { return ending_; }
    const payload& data() const noexcept { return data_; }

    /// Whose value it is, for messages: `signal approve`.
    virtual std::string name() const { return "an operation"; }

    /// The exception for a failure.
    virtual std::shared_ptr<const failed> failure() const;

protected:
    /// As if it had not been started.
    void reset() noexcept { started_ = false; }

    /// Emits the command. The run takes commands.
    virtual void begin() = 0;

    /// It is under way, and nobody waits for it any more.
    virtual void withdraw(leaving) {}

private:
    runtime* run_;
    payload data_;
    operation_ending ending_ = operation_ending::value;
    shield shield_;
    bool started_ = false;
    bool kept_ = false;
};

class activity_operation final : public operation_state
{
public:
    activity_operation(runtime& run, shield guard, untyped_activity_call call);
    std::string name() const override { return "the result of activity " + call_.name(); }
    std::shared_ptr<const failed> failure() const override;

private:
    void begin() override;

    /// An activity whose time ran out goes on, as basic_operation::within promises.
    void withdraw(leaving why) override;

    untyped_activity_call call_;
    std::int32_t number_ = 0;
};

class timer_operation final : public operation_state
{
public:
    timer_operation(runtime& run, shield guard, std::chrono::microseconds duration) noexcept
        : operation_state(run, guard), duration_(duration)
    {}

    std::int32_t number() const noexcept { return number_; }
    timestamp due() const noexcept { return due_; }

private:
    void begin() override;

    /// Cancelled, it begins anew when it is awaited again. A sleep whose time ran out goes on, as
    /// an activity does.
    void withdraw(leaving why) override;

    std::chrono::microseconds duration_;
    std::int32_t number_ = 0;
    timestamp due_{};
};

/// A receive; as a node it is in the list of those that wait for this signal.
class receive_operation final : public operation_state, public link
{
public:
    receive_operation(runtime& run, shield guard, std::string_view signal)
        : operation_state(run, guard), signal_(signal)
    {}

    std::string name() const override { return "signal " + signal_; }

private:
    void begin() override;

    /// Leaves the signals to others; awaited again, it begins anew.
    void withdraw(leaving) override
    {
        unlink();
        reset();
    }

    std::string signal_;
};

class side_effect_operation final : public operation_state
{
public:
    side_effect_operation(
        runtime& run, shield guard, std::unique_ptr<side_effect_function> function) noexcept
        : operation_state(run, guard), function_(std::move(function))
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
    continuation(runtime& run, shield guard, untyped_workflow_call call)
        : operation_state(run, guard), call_(std::move(call))
    {}

private:
    void begin() override;

    untyped_workflow_call call_;
};

} // namespace perdure::detail
