#include <worker/worker_core.hpp>

#include <perdure/workflow/checks.hpp>
#include <perdure/workflow/error.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <utility>
#include <vector>

namespace perdure {

namespace asio = boost::asio;

namespace {

constexpr std::size_t most_per_commit = 200;
/// What a drain keeps of its deadline for handing back: a fifth, at most this. No drain has less
/// than this in all.
constexpr std::chrono::seconds hand_back_time{2};
constexpr std::chrono::hours longest_drain{24 * 365};

bool is_cancellation(std::exception_ptr failure)
{
    try {
        std::rethrow_exception(std::move(failure));
    } catch (const boost::system::system_error& known) {
        return known.code() == asio::error::operation_aborted;
    } catch (...) {
        return false;
    }
}

} // namespace

worker_core::worker_core(std::shared_ptr<engine_core> engine, worker_options options)
    : engine_{std::move(engine)},
      options_{std::move(options)},
      cache_{options_.cached_instances()},
      workflow_slots_{std::make_shared<slots>(options_.workflow_slots())},
      result_claims_{workflow_slots_, options_.lease(), engine_->member()},
      activity_slots_{std::make_shared<slots>(options_.activity_slots())},
      thread_slots_{std::make_shared<slots>(2 * options_.threads())},
      leases_{std::make_shared<lease_keeper>(engine_, options_.lease())},
      progress_{engine_->executor()}
{
    if (options_.queues().empty())
        throw error{errc::invalid_argument, "a worker needs at least one queue"};
    for (const std::string& queue : options_.queues()) check_name("queue", queue);
    if (options_.workflow_slots() == 0 || options_.activity_slots() == 0)
        throw error{errc::invalid_argument, "a worker needs at least one slot of each kind"};
    if (options_.threads() == 0)
        throw error{errc::invalid_argument, "a worker needs at least one thread"};
    if (options_.lease() < std::chrono::milliseconds{100})
        throw error{
            errc::invalid_argument, "a worker's lease of " +
                                        std::to_string(options_.lease().count()) +
                                        " ms is too short: give at least 100 ms"};
}

void worker_core::add(workflow_implementation implementation)
{
    std::string name{implementation.name()};
    auto shared = std::make_shared<const workflow_implementation>(std::move(implementation));
    const bool added = workflows_.emplace(name, std::move(shared)).second;
    if (!added)
        throw error{
            errc::already_exists, "workflow \"" + name + "\" was given to this worker already"};
}

void worker_core::add(activity_implementation implementation)
{
    std::string name = implementation.name;
    auto shared = std::make_shared<const activity_implementation>(std::move(implementation));
    const bool added = activities_.emplace(name, std::move(shared)).second;
    if (!added)
        throw error{
            errc::already_exists, "activity \"" + name + "\" was given to this worker already"};
}

std::shared_ptr<const workflow_implementation> worker_core::find_workflow(
    const std::string& name) const
{
    const auto found = workflows_.find(name);
    return found == workflows_.end() ? nullptr : found->second;
}

std::shared_ptr<const activity_implementation> worker_core::find_activity(
    const std::string& name) const
{
    const auto found = activities_.find(name);
    return found == activities_.end() ? nullptr : found->second;
}

asio::thread_pool& worker_core::threads()
{
    if (!threads_) threads_.emplace(options_.threads());
    return *threads_;
}

void worker_core::join_threads()
{
    if (!threads_) return;
    leases_->stop_all(stop_reason::handing_back); // what waits for its stop token does not wait on
    threads_->stop();
    threads_->join();
}

std::chrono::milliseconds worker_core::delay_of_missing(const std::string& name)
{
    // Tasks that are missed together are one round; and few rounds, since every task of the name
    // waits as long, new ones too, although the next worker may have the code.
    auto& [rounds, until] = missing_[name];
    const auto now = std::chrono::steady_clock::now();
    const auto delay = hand_back_delay(rounds);
    if (now >= until) {
        rounds = std::min(rounds + 1, 3);
        until = now + delay;
    }
    return delay;
}

std::chrono::milliseconds worker_core::hand_back_delay(std::int32_t failures) const
{
    const std::int64_t factor =
        std::min<std::int64_t>(100, std::int64_t{1} << std::clamp(failures, 0, 7));
    return options_.hand_back_delay() * factor;
}

asio::awaitable<void> worker_core::run(std::shared_ptr<worker_core> self)
{
    if (self->running_) throw error{errc::already_exists, "this worker runs already"};
    self->running_ = true; // from here on it can be drained
    self->stopping_ = self->handing_back_ = self->left_ = false;
    self->finish_until_ = self->leave_until_ = time_point::max();
    self->loop_failure_ = nullptr;
    std::exception_ptr failure;
    try {
        co_await self->engine_->ready();
        if (!self->stopping_) co_await self->work();
    } catch (...) {
        failure = std::current_exception();
    }
    self->running_ = false;
    if (failure) std::rethrow_exception(failure);
}

asio::awaitable<void> worker_core::work()
{
    const auto listening = engine_->listen();
    start_loops();
    const bool cancelled = co_await wait_for_drain();
    // From here on the end is near; a cancellation could only lose what is being handed back.
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    co_await leave();
    // The state is also that of whoever awaits this.
    co_await asio::this_coro::reset_cancellation_state(asio::enable_terminal_cancellation());
    if (loop_failure_) std::rethrow_exception(loop_failure_);
    if (cancelled) throw boost::system::system_error{asio::error::operation_aborted};
}

/// Waits for `drain`, and then until nothing is in flight or it is time to hand back. Returns true
/// when it was cancelled.
asio::awaitable<bool> worker_core::wait_for_drain()
{
    bool cancelled = false;
    while (!stopping_ || (!idle() && std::chrono::steady_clock::now() < finish_until_)) {
        progress_.clear();
        try {
            co_await progress_.wait_until(finish_until_);
        } catch (const boost::system::system_error&) {
            cancelled = true;
        }
        if (!cancelled) continue;
        drain(std::chrono::milliseconds{0});
        break;
    }
    co_return cancelled;
}

/// Hands back what is still in flight, and ends the loops.
asio::awaitable<void> worker_core::leave()
{
    handing_back_ = true;
    leases_->stop_all(stop_reason::handing_back);
    while (!idle() && std::chrono::steady_clock::now() < leave_until_) {
        progress_.clear();
        co_await progress_.wait_until(leave_until_);
    }
    log_what_remains();
    left_ = true;
    // A request that the server does not answer must not hold up the end, nor outlast it.
    for (asio::cancellation_signal& cancel : task_cancels_) // resumed later, not in here
        cancel.emit(asio::cancellation_type::terminal);
    workflow_commits_->cancel();
    activity_commits_->cancel();
    leases_->stop();
    for (asio::cancellation_signal& cancel : loop_cancels_)
        cancel.emit(asio::cancellation_type::terminal);
    while (loops_ != 0) {
        progress_.clear();
        co_await progress_.wait_until(time_point::max());
    }
    loop_cancels_.clear();
    cache_.clear();
    workflow_poller_.reset();
    activity_poller_.reset();
    request_forwarder_.reset();
    // What was handed back others must hear of before this process ends.
    co_await engine_->announced(leave_until_);
}

/// A slot is held until the code has returned, a lease only until the task was handed back: what
/// still has one is what others have to wait for.
void worker_core::log_what_remains()
{
    const std::size_t workflow_tasks = leases_->count(task_kind::workflow);
    const std::size_t activities = leases_->count(task_kind::activity);
    if (workflow_tasks + activities + polling_ != 0)
        engine_->log(
            log_level::warning, "left to their leases what could not be handed back in time",
            {{"workflow_tasks", std::to_string(workflow_tasks)},
             {"activities", std::to_string(activities)},
             {"unanswered_claims", std::to_string(polling_)}});
    // The others wait for a thread, and will not be called.
    const std::size_t functions = std::min(thread_slots_->used(), options_.threads());
    if (functions != 0)
        engine_->log(
            log_level::warning,
            "functions on threads were told to stop and still run: the worker's destruction waits "
            "for them",
            {{"functions", std::to_string(functions)}});
}

bool worker_core::idle() const noexcept
{
    return polling_ == 0 && workflow_slots_->used() == 0 && activity_slots_->used() == 0;
}

bool worker_core::runs_plain_functions() const noexcept
{
    return std::any_of(activities_.begin(), activities_.end(), [](const auto& each) {
        return static_cast<bool>(each.second->plain);
    });
}

void worker_core::drain(std::chrono::milliseconds deadline)
{
    if (!running_) return;
    deadline = std::clamp<std::chrono::milliseconds>(
        deadline, std::chrono::milliseconds{0}, longest_drain);
    const auto kept = std::min<std::chrono::milliseconds>(hand_back_time, deadline / 5);
    const time_point now = std::chrono::steady_clock::now();
    finish_until_ = std::min(finish_until_, now + deadline - kept);
    leave_until_ = std::min<time_point>(
        leave_until_, now + std::max<std::chrono::milliseconds>(deadline, hand_back_time));
    if (!std::exchange(stopping_, true))
        engine_->log(
            log_level::info, "draining",
            {{"workflow_tasks", std::to_string(workflow_slots_->used())},
             {"activities", std::to_string(activity_slots_->used())}});
    if (workflow_poller_) workflow_poller_->stop();
    if (activity_poller_) activity_poller_->stop();
    if (request_forwarder_) request_forwarder_->stop();
    progress_.raise();
}

void worker_core::start_loops()
{
    const std::weak_ptr<worker_core> weak = weak_from_this();
    const auto freed = [weak] {
        const auto self = weak.lock();
        if (!self) return;
        self->progress_.raise();
        if (self->workflow_poller_) self->workflow_poller_->freed();
        if (self->activity_poller_) self->activity_poller_->freed();
    };
    workflow_slots_->on_free(freed);
    activity_slots_->on_free(freed);
    thread_slots_->on_free(freed);
    const std::shared_ptr<engine_core> on = engine_;
    workflow_commits_ = std::make_shared<workflow_batcher>(
        on->executor(), most_per_commit,
        workflow_batcher::sender{[on](auto completions, auto answers) {
            return on->store().complete(std::move(completions), std::move(answers));
        }});
    activity_commits_ = std::make_shared<activity_batcher>(
        on->executor(), most_per_commit,
        activity_batcher::sender{[weak](auto completions, auto answers) {
            return store_results(weak.lock(), std::move(completions), std::move(answers));
        }});
    leases_ = std::make_shared<lease_keeper>(engine_, options_.lease());
    spawn_loop(leases_->run(task_kind::workflow), nullptr);
    spawn_loop(leases_->run(task_kind::activity), nullptr);
    request_forwarder_ =
        std::make_shared<request_forwarder>(engine_, [weak](asio::awaitable<void> delivery) {
            if (const auto self = weak.lock())
                self->spawn_task(std::move(delivery), "requests were left to another look");
        });
    spawn_loop(request_forwarder_->run(), nullptr);
    if (!workflows_.empty()) {
        workflow_poller_ = std::make_shared<poller<store::workflow_task>>(
            engine_, task_kind::workflow, options_.queues(), std::vector{workflow_slots_},
            options_.lease(),
            [on](store::claim_request request) {
                return on->store().claim_workflow_tasks(std::move(request));
            },
            [weak](store::workflow_task task, time_point asked) {
                if (const auto self = weak.lock())
                    self->start(std::move(task), self->workflow_slots_->take(), asked);
            });
        spawn_loop(workflow_poller_->run(), &polling_);
    }
    if (!activities_.empty()) {
        std::vector<std::shared_ptr<slots>> bounds{activity_slots_};
        if (runs_plain_functions()) bounds.push_back(thread_slots_);
        activity_poller_ = std::make_shared<poller<store::activity_task>>(
            engine_, task_kind::activity, options_.queues(), std::move(bounds), options_.lease(),
            [on](store::claim_request request) {
                return on->store().claim_activity_tasks(std::move(request));
            },
            [weak](store::activity_task task, time_point asked) {
                const auto self = weak.lock();
                if (!self) return;
                seat kept = self->take_seat(task.name);
                self->start(std::move(task), std::move(kept), asked);
            });
        spawn_loop(activity_poller_->run(), &polling_);
    }
}

void worker_core::spawn_loop(asio::awaitable<void> loop, std::size_t* count)
{
    ++loops_;
    if (count) ++*count;
    auto self = shared_from_this();
    auto ended = [self, count](std::exception_ptr failure) {
        --self->loops_;
        if (count) --*count;
        if (failure && !(self->handing_back_ && is_cancellation(failure))) {
            // A worker that only looks alive would be worse than one that ends.
            self->loop_failure_ = failure;
            self->engine_->log(
                log_level::error, "a worker's loop failed", {{"cause", what_of(failure)}});
            self->drain(std::chrono::milliseconds{0});
        }
        self->progress_.raise();
    };
    asio::co_spawn(
        engine_->executor(), std::move(loop),
        asio::bind_cancellation_slot(loop_cancels_.emplace_back().slot(), std::move(ended)));
}

void worker_core::start(store::workflow_task task, slots::slot kept, time_point asked)
{
    spawn_task(
        run_workflow_task(shared_from_this(), std::move(task), std::move(kept), asked),
        "a workflow task was left to its lease");
}

void worker_core::start(store::activity_task task, seat kept, time_point asked)
{
    spawn_task(
        run_activity_task(
            shared_from_this(), std::move(task), std::move(kept.slot), std::move(kept.thread),
            asked),
        "an activity was left to its lease");
}

/// Taken before the next claim asks how many slots there are.
worker_core::seat worker_core::take_seat(const std::string& activity)
{
    seat taken{activity_slots_->take(), {}};
    const auto implementation = find_activity(activity);
    if (implementation && implementation->plain) taken.thread = thread_slots_->take();
    return taken;
}

worker_core::seats worker_core::claim_eagerly(store::workflow_completion& completion)
{
    seats kept;
    if (!activity_poller_ || completion.finish) return kept;
    for (std::size_t place = 0; place < completion.activities.size(); ++place) {
        const scheduled_activity& each = completion.activities[place];
        const auto implementation = find_activity(each.name);
        if (!implementation || activity_poller_->eager_room(completion.queue_of(each)) == 0)
            continue;
        // Elsewhere a thread may be free.
        if (implementation->plain && thread_slots_->used() >= options_.threads()) continue;
        completion.eager.push_back(place);
        kept.emplace(each.operation, take_seat(each.name));
    }
    if (kept.empty()) return kept;
    completion.eager_token = store::draw_token();
    activity_poller_->taken();
    return kept;
}

void worker_core::start(store::workflow_completed& committed, seats kept, time_point asked)
{
    for (store::activity_task& task : committed.claimed) {
        seat its_own = std::move(kept.at(task.operation));
        start(std::move(task), std::move(its_own), asked);
    }
}

std::vector<result_claims::slot> worker_core::claim_eagerly(
    std::vector<store::activity_completion>& results)
{
    if (!workflow_poller_) return std::vector<result_claims::slot>(results.size());
    auto kept = result_claims_.add(results, cache_, [this](std::string_view queue) {
        return workflow_poller_->eager_room(queue);
    });
    if (std::ranges::any_of(kept, [](const auto& each) { return each != nullptr; }))
        workflow_poller_->taken();
    return kept;
}

void worker_core::start(
    store::activity_completed& stored, result_claims::slot kept, time_point asked)
{
    if (stored.claimed) start(std::move(*stored.claimed), std::move(*kept), asked);
}

void worker_core::spawn_task(asio::awaitable<void> task, std::string_view when_failed)
{
    if (left_) return; // its lease ends
    auto self = shared_from_this();
    const auto cancel = task_cancels_.emplace(task_cancels_.end());
    auto ended = [self, cancel, when_failed](std::exception_ptr failure) {
        self->task_cancels_.erase(cancel);
        if (failure)
            self->engine_->log(log_level::error, when_failed, {{"cause", what_of(failure)}});
    };
    asio::co_spawn(
        engine_->executor(), std::move(task),
        asio::bind_cancellation_slot(cancel->slot(), std::move(ended)));
}

} // namespace perdure
