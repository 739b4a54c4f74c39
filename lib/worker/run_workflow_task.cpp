// One workflow task from claim to commit. The instance is never activated while a commit of its own
// is under way, and every end but a confirmed commit evicts it.
#include <worker/worker_core.hpp>

#include <algorithm>
#include <iterator>
#include <utility>

namespace perdure {

namespace asio = boost::asio;

namespace {

/// Why a task goes back to its queue.
struct hand_back
{
    enum class because
    {
        it_failed,        ///< the code's failure: the attempt counts
        code_is_missing,  ///< another worker may have it
        lease_is_ending,  ///< nothing is wrong: it may be claimed at once
        worker_is_leaving ///< likewise
    };
    std::string problem;
    because why = because::it_failed;
};

hand_back without_fault(hand_back::because why)
{
    hand_back made;
    made.why = why;
    return made;
}

/// What is logged.
std::string reason_of(const hand_back& failure)
{
    if (failure.why == hand_back::because::worker_is_leaving) return "the worker is leaving";
    if (failure.why == hand_back::because::lease_is_ending)
        return "its lease had almost ended before it could run";
    return failure.problem;
}

/// Calls what runs the user's code. A coroutine keeps its exceptions; a function that throws before
/// it makes one does not, and is a problem of its task.
template <class F>
auto guarded(F run)
{
    try {
        return run();
    } catch (const error&) {
        throw;
    } catch (...) {
        throw error{
            errc::application_failure,
            "the workflow's function threw before its coroutine began: " +
                describe(describe_exception(std::current_exception()))};
    }
}

class workflow_task_run
{
public:
    workflow_task_run(
        std::shared_ptr<worker_core> worker, store::workflow_task task,
        worker_core::time_point asked)
        : worker_{std::move(worker)},
          task_{std::move(task)},
          held_{worker_->leases().hold(task_, asked)},
          now_{std::max(task_.claimed_at, worker_->engine().hub().clock().now())}
    {}

    asio::awaitable<void> run()
    {
        std::optional<hand_back> failure;
        try {
            if (worker_->handing_back())
                failure = without_fault(hand_back::because::worker_is_leaving);
            else if (!held_.fresh())
                failure = without_fault(hand_back::because::lease_is_ending);
            else
                failure = co_await bring_to_life();
            bool more = !failure;
            while (more) more = co_await activate_and_commit(failure);
        } catch (const error& cause) {
            failure = hand_back{cause.what()};
        } catch (const pg::error& cause) {
            if (cause.code() != pg::errc::bad_value) throw;
            failure = hand_back{cause.what()}; // its history is a newer worker's
        }
        if (failure) {
            live_.reset();
            co_await release(std::move(*failure));
        }
    }

private:
    /// Takes the instance from the cache, or replays its history.
    asio::awaitable<std::optional<hand_back>> bring_to_life()
    {
        if (!task_.problem.empty()) { // it is a newer worker's
            std::optional<hand_back> unreadable{std::in_place};
            unreadable->problem = task_.problem;
            co_return unreadable;
        }
        if (task_.last_token) live_ = worker_->cache().take(task_.instance, *task_.last_token);
        if (live_) co_return std::nullopt;
        auto implementation = worker_->find_workflow(task_.workflow);
        if (!implementation) {
            std::optional<hand_back> missing{std::in_place};
            missing->problem = "no worker on queue \"" + task_.queue + "\" implements workflow \"" +
                               task_.workflow + "\"";
            missing->why = hand_back::because::code_is_missing;
            co_return missing;
        }
        std::vector<event> history = std::move(task_.history);
        if (history.empty())
            history = co_await worker_->engine().store().load_history(task_.instance, task_.run);
        instance_info info;
        info.id = task_.id;
        info.queue = task_.queue;
        info.run = task_.run;
        live_ = std::make_unique<replayer>(std::move(implementation), std::move(info));
        guarded([&] { live_->replay(std::move(history)); });
        co_return std::nullopt;
    }

    /// Returns whether more events arrived meanwhile, so that the task goes on.
    asio::awaitable<bool> activate_and_commit(std::optional<hand_back>& failure)
    {
        if (held_.state()->lost()) {
            lost("its lease ended before it could run");
            co_return false;
        }
        if (!held_.fresh()) {
            failure = without_fault(hand_back::because::lease_is_ending);
            co_return false;
        }
        store::workflow_completion completion;
        std::vector<event> arrived;
        for (store::arrived_event& each : task_.arrived) {
            completion.consumed.push_back(each.number);
            arrived.push_back(std::move(each.event));
        }
        decision decided = guarded([&] { return live_->activate(std::move(arrived), now_); });
        completion.instance = task_.instance;
        completion.id = task_.id;
        completion.queue = task_.queue;
        completion.token = task_.token;
        completion.next_token = store::draw_token();
        completion.run = task_.run;
        completion.history_length = task_.history_length;
        completion.events = std::move(decided.events);
        completion.activities = std::move(decided.activities);
        completion.cancelled_activities = std::move(decided.cancelled_activities);
        completion.next_timer = decided.next_timer;
        completion.finish = std::move(decided.finish);
        completion.lease = worker_->options().lease();
        if (worker_->options().cached_instances() != 0)
            completion.holder = worker_->engine().member();
        limit_history(completion);
        worker_core::seats kept = worker_->claim_eagerly(completion);

        const store::claim_token token = completion.token;
        const store::claim_token next_token = completion.next_token;
        const bool ended = completion.finish.has_value();
        std::optional<payload> failed;
        if (ended && completion.finish->kind == finish::kind::failed)
            failed = completion.finish->data;
        const auto appended = static_cast<std::int32_t>(completion.events.size());
        const std::int64_t appended_bytes = bytes_of(completion.events);
        const auto asked = std::chrono::steady_clock::now();
        held_.settle();
        store::workflow_completed outcome =
            co_await worker_->workflow_commits().submit(std::move(completion));
        switch (outcome.status) {
        case store::completion_status::confirmed: break;
        case store::completion_status::lease_lost: lost("its lease had ended"); co_return false;
        case store::completion_status::rejected:
            failure.emplace();
            failure->problem = std::move(outcome.reason);
            co_return false;
        }
        worker_->start(outcome, std::move(kept), asked);
        if (failed)
            worker_->engine().log(
                log_level::info, "a workflow failed",
                {{"instance", task_.id},
                 {"workflow", task_.workflow},
                 {"failure", describe(decode_failure(*failed))}});
        if (ended || !outcome.more) {
            if (!ended) worker_->cache().put(task_.instance, token, std::move(live_));
            co_return false;
        }
        held_.renew(next_token, asked);
        task_.token = next_token;
        task_.last_token = token;
        task_.history_length += appended;
        task_.history_bytes += appended_bytes;
        task_.arrived = std::move(outcome.arrived);
        now_ = outcome.now;
        if (!worker_->handing_back()) co_return true;
        failure = without_fault(hand_back::because::worker_is_leaving);
        co_return false;
    }

    /// A history over its limit fails the instance: going on would only make it harder to look at.
    void limit_history(store::workflow_completion& completion) const
    {
        if (completion.finish) return;
        const auto length = completion.history_length + std::ssize(completion.events);
        const auto bytes = task_.history_bytes + bytes_of(completion.events);
        if (length < defaults::maximum_history_events &&
            bytes < static_cast<std::int64_t>(defaults::maximum_history_bytes))
            return;
        failure_info reason;
        reason.type = "history-too-large";
        reason.message = "the history reached its limit of " +
                         std::to_string(defaults::maximum_history_events) + " events or " +
                         std::to_string(defaults::maximum_history_bytes >> 20) +
                         " MiB: continue as new before it grows so long";
        reason.retryable = false;
        event failed;
        failed.type = event_type::workflow_failed;
        failed.data = encode_failure(reason);
        failed.at = completion.events.empty() ? now_ : completion.events.back().at;
        finish end;
        end.kind = finish::kind::failed;
        end.data = failed.data;
        completion.events.push_back(std::move(failed));
        completion.activities.clear();
        completion.cancelled_activities.clear();
        completion.next_timer.reset();
        completion.finish = std::move(end);
    }

    static std::int64_t bytes_of(const std::vector<event>& events)
    {
        std::size_t bytes = 0;
        for (const event& each : events) bytes += each.data.size();
        return static_cast<std::int64_t>(bytes);
    }

    void lost(std::string_view why)
    {
        live_.reset();
        worker_->engine().log(
            log_level::warning, "a workflow task was dropped",
            {{"instance", task_.id}, {"reason", std::string{why}}});
    }

    asio::awaitable<void> release(hand_back failure)
    {
        worker_->engine().log(
            log_level::warning, "a workflow task was handed back",
            {{"instance", task_.id}, {"workflow", task_.workflow}, {"reason", reason_of(failure)}});
        store::workflow_release back;
        back.instance = task_.instance;
        back.queue = task_.queue;
        back.token = task_.token;
        switch (failure.why) {
        case hand_back::because::it_failed:
            back.delay = worker_->hand_back_delay(task_.attempt - 1);
            break;
        case hand_back::because::code_is_missing:
            back.delay = worker_->delay_of_missing(task_.workflow);
            break;
        case hand_back::because::lease_is_ending:
        case hand_back::because::worker_is_leaving: break;
        }
        back.problem = std::move(failure.problem);
        back.count_attempt = failure.why == hand_back::because::it_failed;
        held_.settle();
        store::completion_status status = co_await send(back);
        if (status == store::completion_status::rejected) {
            back.problem = "the database does not take the words of its problem, see the log";
            status = co_await send(back);
        }
        if (status != store::completion_status::confirmed)
            lost("it was not the worker's any more when it was handed back");
    }

    asio::awaitable<store::completion_status> send(store::workflow_release back)
    {
        std::vector<store::workflow_release> batch;
        batch.push_back(std::move(back));
        const auto statuses = co_await worker_->engine().store().release(std::move(batch));
        co_return statuses.front();
    }

    std::shared_ptr<worker_core> worker_;
    store::workflow_task task_;
    lease_keeper::held held_;
    timestamp now_;
    std::unique_ptr<replayer> live_;
};

} // namespace

asio::awaitable<void> run_workflow_task(
    std::shared_ptr<worker_core> worker, store::workflow_task task, slots::slot slot,
    worker_core::time_point asked)
{
    const slots::slot held = std::move(slot);
    workflow_task_run run{std::move(worker), std::move(task), asked};
    co_await run.run();
}

} // namespace perdure
