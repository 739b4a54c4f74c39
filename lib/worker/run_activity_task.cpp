// One attempt of an activity. Whatever comes first decides it: its result, its time limit, the loss
// of its lease, or the worker's end; what comes later changes nothing but frees the slot. One that
// nobody wants any more is told to stop, and ends when it does.
#include <worker/worker_core.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <random>
#include <stop_token>
#include <utility>

namespace perdure {

namespace asio = boost::asio;

namespace {

/// What decided an attempt.
struct verdict
{
    enum class kind
    {
        value,
        failure,
        not_begun,
        timed_out,
        lease_lost,
        handing_back
    } kind = kind::value;
    payload value;
    failure_info failure;
};

/// An attempt under way; kept by whoever still needs it, the code that runs longest last.
struct attempt : std::enable_shared_from_this<attempt>
{
    attempt(
        std::shared_ptr<worker_core> on, store::activity_task claimed, slots::slot held,
        slots::slot its_thread)
        : worker{std::move(on)},
          task{std::move(claimed)},
          slot{std::move(held)},
          thread{std::move(its_thread)},
          decided{worker->engine().executor()},
          limit{worker->engine().executor()}
    {
        info.name = task.name;
        info.queue = task.queue;
        info.workflow_id = task.instance_id;
        info.instance = static_cast<std::int64_t>(task.instance);
        info.run = task.run;
        info.operation = task.operation;
        info.attempt = task.attempt;
    }

    void decide(verdict how)
    {
        if (is_decided) return;
        is_decided = true;
        limit.cancel();
        decided.set(std::move(how));
    }

    void stop(enum verdict::kind why)
    {
        if (is_decided) return;
        verdict how;
        how.kind = why;
        decide(std::move(how));
        interrupt();
    }

    /// Nobody wants it any more: it ends when its code does, whatever that says.
    void cancelled()
    {
        if (is_decided || std::exchange(unwanted, true)) return;
        interrupt();
    }

    void ended(bool begun, std::exception_ptr exception, payload value)
    {
        thread = {};
        verdict how;
        if (!begun) {
            how.kind = verdict::kind::not_begun;
        } else if (exception) {
            how.kind = verdict::kind::failure;
            how.failure = describe_exception(exception);
        } else {
            how.value = std::move(value);
        }
        decide(std::move(how));
    }

    /// Whether the code may begin: else an effect could begin that another worker's is, too.
    bool may_begin() const noexcept { return !interrupted.stop_requested() && lease->fresh(); }

    std::shared_ptr<worker_core> worker;
    store::activity_task task;
    slots::slot slot;
    slots::slot thread;
    activity_info info;
    std::shared_ptr<const lease_state> lease;
    one_shot<verdict> decided;
    bool is_decided = false;
    bool unwanted = false;
    std::stop_source interrupted;
    asio::steady_timer limit;
    asio::cancellation_signal cancel;
    std::shared_ptr<const activity_implementation> implementation;

private:
    void interrupt()
    {
        interrupted.request_stop();
        cancel.emit(asio::cancellation_type::terminal);
    }
};

using attempt_pointer = std::shared_ptr<attempt>;

asio::awaitable<payload> run_coroutine(attempt_pointer self, std::shared_ptr<bool> begun)
{
    // A spawned coroutine must have suspended once before it may be cancelled.
    co_await asio::post(self->worker->engine().executor(), asio::use_awaitable);
    *begun = self->may_begin();
    if (!*begun) co_return payload{};
    const activity_context context{self->info, self->interrupted};
    co_return co_await self->implementation->coroutine(context, self->task.arguments);
}

void start_coroutine(const attempt_pointer& self)
{
    auto begun = std::make_shared<bool>(true);
    asio::co_spawn(
        self->worker->engine().executor(), run_coroutine(self, begun),
        asio::bind_cancellation_slot(
            self->cancel.slot(), [self, begun](std::exception_ptr exception, payload value) {
                self->ended(*begun, exception, std::move(value));
            }));
}

void start_plain(const attempt_pointer& self)
{
    asio::post(self->worker->threads(), [self = self]() mutable { // a copy that can be moved
        std::exception_ptr exception;
        payload value;
        const bool begun = self->may_begin();
        try {
            const activity_context context{self->info, self->interrupted};
            if (begun) value = self->implementation->plain(context, self->task.arguments);
        } catch (...) {
            exception = std::current_exception();
        }
        const auto executor = self->worker->engine().executor();
        // The last reference goes with the handler, so that the slot is freed on the executor.
        asio::post(
            executor,
            [self = std::move(self), begun, exception, value = std::move(value)]() mutable {
                self->ended(begun, exception, std::move(value));
            });
    });
}

void start_limit(const attempt_pointer& self)
{
    self->limit.expires_after(self->task.options.start_to_close());
    self->limit.async_wait(
        [weak = std::weak_ptr<attempt>{self}](boost::system::error_code cancelled) {
            const auto locked = weak.lock();
            if (!cancelled && locked) locked->stop(verdict::kind::timed_out);
        });
}

std::chrono::milliseconds with_jitter(std::chrono::milliseconds pause)
{
    thread_local std::minstd_rand random{std::random_device{}()};
    const double share = defaults::jitter_percent / 100.0;
    std::uniform_real_distribution<double> factor{1.0 - share, 1.0 + share};
    return std::chrono::milliseconds{
        static_cast<std::int64_t>(static_cast<double>(pause.count()) * factor(random))};
}

store::activity_completion completion_of(const store::activity_task& task)
{
    store::activity_completion completion;
    completion.id = task.id;
    completion.instance = task.instance;
    completion.run = task.run;
    completion.operation = task.operation;
    completion.name = task.name;
    completion.workflow_queue = task.workflow_queue;
    completion.queue = task.queue;
    completion.token = task.token;
    completion.holder = task.holder;
    return completion;
}

/// A failed attempt: another one after a pause, or the end. A declared failure is an answer, no
/// trouble.
void fail(const attempt& self, store::activity_completion& completion, const failure_info& failure)
{
    completion.data = encode_failure(failure);
    if (failure.retryable && self.task.options.may_retry(self.task.attempt)) {
        completion.outcome = store::activity_completion::outcome::retry;
        completion.delay = with_jitter(self.task.options.pause_after(self.task.attempt));
        completion.problem = "activity \"" + self.task.name + "\" failed at attempt " +
                             std::to_string(self.task.attempt) +
                             " and is tried again: " + describe(failure);
    } else {
        completion.outcome = store::activity_completion::outcome::failed;
    }
    self.worker->engine().log(
        failure.retryable ? log_level::warning : log_level::info, "an activity's attempt failed",
        {{"activity", self.task.name},
         {"instance", self.task.instance_id},
         {"attempt", std::to_string(self.task.attempt)},
         {"type", failure.type},
         {"message", failure.message}});
}

/// Back to the queue, through no fault of the activity's.
void release(const attempt& self, store::activity_completion& completion, std::string reason)
{
    completion.outcome = store::activity_completion::outcome::release;
    self.worker->engine().log(
        log_level::warning, "an activity was handed back",
        {{"activity", self.task.name},
         {"instance", self.task.instance_id},
         {"reason", std::move(reason)}});
}

constexpr const char* too_late = "its lease had almost ended before it could run";

/// What nobody wants: the store takes note that it has ended.
void cancelled(const attempt& self, store::activity_completion& completion)
{
    failure_info unwanted;
    unwanted.type = "cancelled";
    unwanted.message = "activity \"" + self.task.name + "\" was cancelled";
    unwanted.retryable = false;
    completion.outcome = store::activity_completion::outcome::failed;
    completion.data = encode_failure(unwanted);
    self.worker->engine().log(
        log_level::info, "an activity was cancelled",
        {{"activity", self.task.name}, {"instance", self.task.instance_id}});
}

/// Runs the code, unless there is a reason not to, and says what to record; nothing when the lease
/// was lost.
asio::awaitable<std::optional<store::activity_completion>> run_attempt(attempt_pointer self)
{
    std::optional<store::activity_completion> completion{completion_of(self->task)};
    const store::activity_task& task = self->task;
    if (!task.problem.empty()) {
        completion->problem = task.problem;
        completion->delay = self->worker->delay_of_missing(task.name);
        release(*self, *completion, task.problem);
        co_return completion;
    }
    self->implementation = self->worker->find_activity(task.name);
    if (!self->implementation) {
        completion->problem =
            "no worker on queue \"" + task.queue + "\" implements activity \"" + task.name + "\"";
        completion->delay = self->worker->delay_of_missing(task.name);
        release(*self, *completion, completion->problem);
        co_return completion;
    }
    if (!self->lease->fresh() || self->worker->handing_back()) {
        release(*self, *completion, self->lease->fresh() ? "the worker is leaving" : too_late);
        co_return completion;
    }
    if (task.options.attempts() != 0 && task.attempt > task.options.attempts()) {
        failure_info lost;
        lost.type = "attempts-exhausted";
        lost.message = "activity \"" + task.name + "\" was started " +
                       std::to_string(task.options.attempts()) +
                       " times and never ended: its worker died or lost its lease";
        fail(*self, *completion, lost);
        co_return completion;
    }

    if (self->implementation->coroutine)
        start_coroutine(self);
    else
        start_plain(self);
    start_limit(self);
    verdict how = co_await self->decided.wait();

    if (self->unwanted && how.kind != verdict::kind::lease_lost) {
        cancelled(*self, *completion);
        co_return completion;
    }
    switch (how.kind) {
    case verdict::kind::value:
        completion->outcome = store::activity_completion::outcome::completed;
        completion->data = std::move(how.value);
        break;
    case verdict::kind::failure: fail(*self, *completion, how.failure); break;
    case verdict::kind::not_begun: release(*self, *completion, too_late); break;
    case verdict::kind::timed_out:
        how.failure.type = "timed-out";
        how.failure.message = "activity \"" + task.name +
                              "\" did not end within its start_to_close of " +
                              std::to_string(task.options.start_to_close().count()) + " ms";
        fail(*self, *completion, how.failure);
        break;
    case verdict::kind::lease_lost: completion.reset(); break;
    case verdict::kind::handing_back: release(*self, *completion, "the worker is leaving"); break;
    }
    co_return completion;
}

} // namespace

asio::awaitable<void> store_results(
    std::shared_ptr<worker_core> worker, std::vector<store::activity_completion> completions,
    store::answers<store::activity_completed> answers)
{
    std::vector<result_claims::slot> kept = worker->claim_eagerly(completions);
    const auto asked = std::chrono::steady_clock::now();
    store::answers<store::activity_completed> hears;
    hears.held_up = std::move(answers.held_up);
    hears.answer = [&](std::size_t item, store::activity_completed outcome) {
        worker->start(outcome, std::move(kept[item]), asked);
        answers.answer(item, std::move(outcome));
    };
    co_await worker->engine().store().complete(std::move(completions), std::move(hears));
}

asio::awaitable<void> run_activity_task(
    std::shared_ptr<worker_core> worker, store::activity_task task, slots::slot slot,
    slots::slot thread, worker_core::time_point asked)
{
    auto self =
        std::make_shared<attempt>(worker, std::move(task), std::move(slot), std::move(thread));
    lease_keeper::held held = worker->leases().hold(
        self->task, asked, [weak = std::weak_ptr<attempt>{self}](stop_reason why) {
            const auto locked = weak.lock();
            if (!locked) return;
            switch (why) {
            case stop_reason::lease_lost: locked->stop(verdict::kind::lease_lost); break;
            case stop_reason::handing_back: locked->stop(verdict::kind::handing_back); break;
            case stop_reason::cancelled: locked->cancelled(); break;
            }
        });
    self->lease = held.state();
    auto completion = co_await run_attempt(self);
    if (!completion) co_return; // another worker has it; the keeper said so
    held.settle();
    const store::activity_completed outcome =
        co_await worker->activity_commits().submit(std::move(*completion));
    if (outcome.status == store::completion_status::confirmed) co_return;
    if (outcome.status == store::completion_status::lease_lost) {
        worker->engine().log(
            log_level::warning, "an activity's result came after its lease had ended",
            {{"activity", self->task.name}, {"instance", self->task.instance_id}});
        co_return;
    }
    // The server refused the result itself: the activity has failed with the server's words.
    failure_info refused;
    refused.type = "result-refused";
    refused.message = outcome.reason;
    refused.retryable = false;
    store::activity_completion failed = completion_of(self->task);
    fail(*self, failed, refused);
    co_await worker->activity_commits().submit(std::move(failed));
}

} // namespace perdure
