// The worker: claims tasks from queues, runs the workflows and activities it was given, and records
// what came of them.
#pragma once

#include <perdure/config.hpp>
#include <perdure/engine/engine.hpp>
#include <perdure/worker/activity_implementation.hpp>
#include <perdure/workflow/implementation.hpp>

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace perdure {

class worker_core;

/// How a worker is set up; setters return `*this`.
class PERDURE_DECL worker_options
{
public:
    /// The queues to serve, at least one; each name at most 100 characters of `A-Za-z0-9-_./`.
    /// Default: `default`.
    worker_options& queues(std::vector<std::string> names);
    /// At most how many workflow tasks are claimed at a time; half of them, and 500, by one look, and
    /// half along with results of activities that are being stored. Default: 100.
    worker_options& workflow_slots(std::size_t slots);
    /// At most how many activities are claimed at a time; half of them, and 500, by one look. Default:
    /// 1,000.
    worker_options& activity_slots(std::size_t slots);
    /// Threads for activities that are plain functions, started with the first such activity. At
    /// most twice as many of them are claimed at a time, so that those that must wait are left to
    /// other workers; while so many are, the worker claims no activity at all, since any could be
    /// one more. Give functions that run long a queue of their own. Default: 4.
    worker_options& threads(std::size_t count);
    /// How many instances are kept in memory between their tasks; others are replayed. Default:
    /// 1,000; 0 replays always.
    worker_options& cached_instances(std::size_t count);
    /// How long a claimed task is this worker's without being extended; it is extended every third
    /// of it. A task whose worker died is claimed by another when it has passed. Default: 10 s; at
    /// least 100 ms.
    worker_options& lease(std::chrono::milliseconds duration);
    /// How long a task that cannot be run here waits before it is tried again; doubled each time,
    /// up to eight times where an implementation is missing, up to a hundred times where the code
    /// fails on its history. Default: 1 s.
    worker_options& hand_back_delay(std::chrono::milliseconds delay);

    const std::vector<std::string>& queues() const noexcept { return queues_; }
    std::size_t workflow_slots() const noexcept { return workflow_slots_; }
    std::size_t activity_slots() const noexcept { return activity_slots_; }
    std::size_t threads() const noexcept { return threads_; }
    std::size_t cached_instances() const noexcept { return cached_instances_; }
    std::chrono::milliseconds lease() const noexcept { return lease_; }
    std::chrono::milliseconds hand_back_delay() const noexcept { return hand_back_delay_; }

private:
    std::vector<std::string> queues_{"default"};
    std::size_t workflow_slots_ = 100;
    std::size_t activity_slots_ = 1000;
    std::size_t threads_ = 4;
    std::size_t cached_instances_ = 1000;
    std::chrono::milliseconds lease_ = defaults::lease;
    std::chrono::milliseconds hand_back_delay_{1000};
};

/// Runs workflows and activities.
///
/// A worker serves the queues it was told to, with as many workflows and activities as it was given
/// implementations. It claims no workflow tasks without a workflow, and no activities without an
/// activity. A task whose workflow or activity it does not know is handed back for another worker;
/// the instance's state says what is missing.
///
/// Thread safety and lifetime: as the engine's.
class PERDURE_DECL worker
{
public:
    /// \throws error `errc::invalid_argument`: no queue, a queue's name that is not allowed, no
    ///         slots, no threads, or a lease under 100 ms.
    explicit worker(engine& on, worker_options options = {});
    worker(const worker&) = delete;
    worker& operator=(const worker&) = delete;
    /// Drains without a deadline, so that `run()` ends soon if the execution context goes on, and
    /// waits for the activities that run on the worker's threads.
    ~worker();

    /// Gives the worker the code of a workflow: a coroutine function `task<R>(context, P...)`, its
    /// parameters by value or `const&`. The worker keeps the decoded arguments as long as the
    /// coroutine. Call it before `run()`.
    /// \throws error `errc::already_exists`: the name has an implementation already.
    template <fixed_string Name, class Signature, class Function>
    void implement(const workflow<Name, Signature>& definition, Function function)
    {
        add(perdure::implement(definition, std::move(function)));
    }

    /// Gives the worker the code of an activity: either a coroutine function
    /// `boost::asio::awaitable<R>(activity_context, P...)`, which runs on the engine's executor and
    /// must not block it, or a plain function `R(activity_context, P...)`, which runs on one of the
    /// worker's threads. It may be called by several of them at the same time.
    ///
    /// A coroutine is cancelled (its cancellation slot is emitted `terminal`) when nobody wants its
    /// result any more, its `start_to_close` has passed, its lease is lost, or the worker hands it
    /// back. A plain function cannot be stopped, but can ask (`activity_context::cancelled`); it is
    /// given up, and its slot freed when it returns; one that still waits for a thread then is not
    /// called. That wait is part of its `start_to_close`. Call it before `run()`.
    /// \throws error `errc::already_exists`: the name has an implementation already.
    template <fixed_string Name, class Signature, class Function>
    void implement(const activity<Name, Signature>& definition, Function function)
    {
        add(make_activity_implementation(definition, std::move(function)));
    }

    /// Works until it is drained or cancelled. While the database cannot be reached it keeps
    /// trying, with back-off, and says so to the logger.
    ///
    /// Cancellation: `terminal` ends it as `drain(0s)` does, a drain that is under way included,
    /// and completes with `operation_aborted`.
    /// \throws pg::error at the start, when the connection string, the server or the schema is not
    ///     right; later only when the engine was destroyed.
    /// \throws error `errc::already_exists`: it runs already.
    boost::asio::awaitable<void> run();

    /// Stops claiming, lets what is in flight finish, hands the rest back, and ends `run()`, all
    /// within `deadline`. A fifth of it, at most two seconds, is kept for handing back. Another
    /// worker can claim at once what was handed back, and its attempt does not count.
    ///
    /// A deadline of 0 hands back at once. If the database does not answer meanwhile, `run()` still
    /// ends within the deadline, or within two seconds if that is shorter; what could not be handed
    /// back then is claimed by others when its lease has ended. A second call can only shorten the
    /// deadline. Does nothing when the worker does not run.
    ///
    /// A plain function that runs on a thread cannot be stopped, only asked to
    /// (`activity_context::cancelled`): its task is handed back and `run()` ends, but destroying
    /// the worker, and with it ending the program, waits until it returns. So give the second
    /// SIGTERM its usual effect, which loses no more than any crash:
    /// \code
    /// asio::signal_set stop{io, SIGINT, SIGTERM};
    /// stop.async_wait([&](auto, int) {
    ///     stop.clear(); // from now on a signal ends the process at once
    ///     worker.drain(10s);
    /// });
    /// \endcode
    void drain(std::chrono::milliseconds deadline = defaults::drain);

private:
    void add(workflow_implementation implementation);
    void add(activity_implementation implementation);

    std::shared_ptr<worker_core> core_;
};

} // namespace perdure
