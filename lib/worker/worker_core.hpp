// The inside of a worker: what its pollers, runners and lease keeper share.
#pragma once

#include <engine/batcher.hpp>
#include <engine/engine_core.hpp>
#include <worker/instance_cache.hpp>
#include <worker/lease_keeper.hpp>
#include <worker/poller.hpp>
#include <worker/request_forwarder.hpp>
#include <worker/result_claims.hpp>
#include <worker/slots.hpp>

#include <perdure/worker/worker.hpp>

#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/thread_pool.hpp>

#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace perdure {

class worker_core : public std::enable_shared_from_this<worker_core>
{
public:
    using time_point = std::chrono::steady_clock::time_point;
    using workflow_batcher = batcher<store::workflow_completion, store::workflow_completed>;
    using activity_batcher = batcher<store::activity_completion, store::activity_completed>;

    worker_core(std::shared_ptr<engine_core> engine, worker_options options);

    void add(workflow_implementation implementation);
    void add(activity_implementation implementation);

    static boost::asio::awaitable<void> run(std::shared_ptr<worker_core> self);
    void drain(std::chrono::milliseconds deadline);

    engine_core& engine() noexcept { return *engine_; }
    const worker_options& options() const noexcept { return options_; }
    instance_cache& cache() noexcept { return cache_; }
    lease_keeper& leases() noexcept { return *leases_; }
    workflow_batcher& workflow_commits() noexcept { return *workflow_commits_; }
    activity_batcher& activity_commits() noexcept { return *activity_commits_; }
    /// The threads of activities that are plain functions, started when first asked for.
    boost::asio::thread_pool& threads();
    /// Waits for the functions that run on them; those that wait for a thread never run.
    void join_threads();

    std::shared_ptr<const workflow_implementation> find_workflow(const std::string& name) const;
    std::shared_ptr<const activity_implementation> find_activity(const std::string& name) const;

    /// How long a task that failed here waits: doubled with every failure in a row, up to a hundred
    /// times.
    std::chrono::milliseconds hand_back_delay(std::int32_t failures) const;

    /// How long a task waits whose workflow or activity this worker lacks: likewise, by name.
    std::chrono::milliseconds delay_of_missing(const std::string& name);

    /// What is kept for activities that a workflow task claims as it schedules them, by their
    /// operations.
    struct seat
    {
        slots::slot slot;
        slots::slot thread; // of a plain function
    };
    using seats = std::map<std::int32_t, seat>;

    /// Eager dispatch: claims those activities of a workflow task that this worker can run and has
    /// room for.
    seats claim_eagerly(store::workflow_completion& completion);
    /// The workflow task was committed: they start.
    void start(store::workflow_completed& committed, seats kept, time_point asked);

    /// Likewise the workflow tasks that these results wake. \returns what is kept for each result.
    std::vector<result_claims::slot> claim_eagerly(
        std::vector<store::activity_completion>& results);
    /// The result was stored: the task that it claimed starts.
    void start(store::activity_completed& stored, result_claims::slot kept, time_point asked);

    /// True once in-flight work is to be handed back instead of started.
    bool handing_back() const noexcept { return handing_back_; }

private:
    void start(store::workflow_task task, slots::slot kept, time_point asked);
    void start(store::activity_task task, seat kept, time_point asked);
    seat take_seat(const std::string& activity);
    void start_loops();
    void spawn_task(boost::asio::awaitable<void> task, std::string_view when_failed);
    void spawn_loop(boost::asio::awaitable<void> loop, std::size_t* count);
    boost::asio::awaitable<void> work();
    boost::asio::awaitable<bool> wait_for_drain();
    boost::asio::awaitable<void> leave();
    void log_what_remains();
    bool idle() const noexcept;
    bool runs_plain_functions() const noexcept;

    std::shared_ptr<engine_core> engine_;
    worker_options options_;
    std::map<std::string, std::shared_ptr<const workflow_implementation>> workflows_;
    std::map<std::string, std::shared_ptr<const activity_implementation>> activities_;
    struct missed
    {
        std::int32_t rounds = 0;
        time_point until{};
    };
    std::map<std::string, missed> missing_; // by the name of a workflow or activity
    instance_cache cache_;
    std::shared_ptr<slots> workflow_slots_;
    result_claims result_claims_;
    std::shared_ptr<slots> activity_slots_;
    /// Of the activities that are plain functions: as many as run, and as many that wait to.
    std::shared_ptr<slots> thread_slots_;
    std::shared_ptr<lease_keeper> leases_;
    std::shared_ptr<workflow_batcher> workflow_commits_;
    std::shared_ptr<activity_batcher> activity_commits_;
    std::shared_ptr<poller<store::workflow_task>> workflow_poller_;
    std::shared_ptr<poller<store::activity_task>> activity_poller_;
    std::shared_ptr<request_forwarder> request_forwarder_;
    std::optional<boost::asio::thread_pool> threads_;
    wake_flag progress_;    // raised when a slot is freed or a loop has ended, and by drain
    std::size_t loops_ = 0; // pollers, the forwarder, and those that extend leases
    std::list<boost::asio::cancellation_signal> loop_cancels_;
    std::list<boost::asio::cancellation_signal> task_cancels_; // of the tasks under way
    std::size_t polling_ = 0;                                  // pollers
    std::exception_ptr loop_failure_;
    bool running_ = false;
    bool stopping_ = false;
    bool left_ = false; // nothing is started any more
    bool handing_back_ = false;
    time_point finish_until_ = time_point::max(); // what is in flight; then it is handed back
    time_point leave_until_ = time_point::max();  // by then that must be over, too
};

/// Runs one claimed workflow task to its end: replay or cache, activate, commit, and on while
/// events keep arriving.
boost::asio::awaitable<void> run_workflow_task(
    std::shared_ptr<worker_core> worker, store::workflow_task task, slots::slot slot,
    worker_core::time_point asked);

/// Stores what attempts of activities came to, and goes on with those of their workflows whose tasks
/// it could claim.
boost::asio::awaitable<void> store_results(
    std::shared_ptr<worker_core> worker, std::vector<store::activity_completion> completions,
    store::answers<store::activity_completed> answers);

/// Runs one attempt of an activity and records what came of it.
/// \param thread held, too, if it is a plain function.
boost::asio::awaitable<void> run_activity_task(
    std::shared_ptr<worker_core> worker, store::activity_task task, slots::slot slot,
    slots::slot thread, worker_core::time_point asked);

} // namespace perdure
