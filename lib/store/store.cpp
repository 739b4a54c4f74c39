#include <perdure/store/store.hpp>

#include <store/activity_batch.hpp>
#include <store/claims.hpp>
#include <store/create_batch.hpp>
#include <store/event_rows.hpp>
#include <store/release_batch.hpp>
#include <store/remove_batch.hpp>
#include <store/request_batch.hpp>
#include <store/signal_batch.hpp>
#include <store/store_core.hpp>
#include <store/workflow_batch.hpp>

#include <algorithm>
#include <utility>

namespace perdure::store {

namespace asio = boost::asio;

namespace {

/// Reads the columns that state and list_instances share.
std::vector<instance_state> read_states(const pg::result& rows)
{
    std::vector<instance_state> states;
    for (auto
         [instance, id, workflow, queue, status, run, length, bytes, pending, problem, created_at,
          finished_at, metadata] :
         rows.rows<
             instance_key, std::string, std::string, std::string, instance_status, std::int32_t,
             std::int32_t, std::int64_t, std::int64_t, std::string, timestamp,
             std::optional<timestamp>, pg::bytes>()) {
        instance_state state;
        state.instance = instance;
        state.id = std::move(id);
        state.workflow = std::move(workflow);
        state.queue = std::move(queue);
        state.status = status;
        state.run = run;
        state.history_length = length;
        state.history_bytes = bytes;
        state.pending_events = pending;
        state.problem = std::move(problem);
        state.created_at = created_at;
        state.finished_at = finished_at;
        state.metadata = payload::from_bytes(metadata);
        states.push_back(std::move(state));
    }
    return states;
}

std::optional<instance_state> read_state(const pg::result& rows)
{
    std::vector<instance_state> states = read_states(rows);
    if (states.empty()) return std::nullopt;
    return std::move(states.front());
}

/// Runs statements, and gives the rows of the last.
asio::awaitable<pg::result> read_last(pg::pool& pool, pg::pipeline work)
{
    const std::size_t last = work.size() - 1;
    const pg::pipeline_result results = co_await pool.run(std::move(work));
    co_return results[last];
}

/// Runs one statement that only reads, under its settings.
template <class... A>
asio::awaitable<pg::result> read(store_core& core, const pg::statement& what, const A&... arguments)
{
    pg::pipeline work;
    work.add(core.sql.read_settings);
    work.add(what, arguments...);
    return read_last(core.pool, std::move(work));
}

/// Brings a batch of some operation through, and answers for each item as soon as it is settled.
template <class Operation, class Outcome>
asio::awaitable<void> run(store_core& core, Operation& operation, answers<Outcome> hears)
{
    batch_progress progress;
    progress.held_up = std::move(hears.held_up);
    progress.settled = [&operation, answer = std::move(hears.answer)](std::size_t item) {
        answer(item, operation.take(item));
    };
    std::vector<std::size_t> sizes = operation.sizes();
    co_await run_batch(core, operation, std::move(sizes), Operation::limits(), std::move(progress));
}

/// Answers that are collected in a vector, in order.
template <class Outcome>
answers<Outcome> into(std::vector<Outcome>& outcomes)
{
    answers<Outcome> collecting;
    collecting.answer = [&outcomes](std::size_t item, Outcome outcome) {
        outcomes[item] = std::move(outcome);
    };
    return collecting;
}

asio::awaitable<void> remove_instances(store_core& core, std::vector<std::string> ids)
{
    remove_batch batch{core, std::move(ids)};
    batch_progress progress;
    progress.settled = [](std::size_t) {};
    std::vector<std::size_t> sizes = batch.sizes();
    co_await run_batch(core, batch, std::move(sizes), remove_batch::limits(), std::move(progress));
    if (!batch.rejection().empty()) throw pg::error{pg::errc::server_error, batch.rejection()};
}

/// Most events of a history that are read in one round trip.
constexpr std::int32_t most_events = 5'000;

} // namespace

safety_report read_safety(const pg::result& rows)
{
    safety_report read;
    for (auto [now, requests, activities, queue, visible_at, topic, member] :
         rows.rows<
             timestamp, std::optional<bool>, std::optional<bool>, std::optional<std::string>,
             std::optional<timestamp>, std::optional<std::int64_t>,
             std::optional<std::int64_t>>()) {
        read.now = now;
        read.requests = read.requests || requests.value_or(false);
        if (queue) read.queues.push_back(due_queue{*activities, std::move(*queue), *visible_at});
        if (topic)
            read.members.push_back(present_member{
                static_cast<std::int32_t>(*topic), static_cast<std::int32_t>(*member)});
    }
    return read;
}

store::store(pg::pool& pool, std::string schema, announcer& announcements)
    : core_{std::make_unique<store_core>(pool, std::move(schema), announcements)}
{}

store::~store() = default;

asio::awaitable<void> store::check_schema()
{
    pg::pooled_connection connection = co_await core_->pool.acquire();
    co_await core_->migrator.check(*connection);
}

asio::awaitable<void> store::create(std::vector<new_instance> instances, answers<created> answers)
{
    create_batch batch{*core_, std::move(instances)};
    co_await run(*core_, batch, std::move(answers));
}

asio::awaitable<std::vector<created>> store::create(std::vector<new_instance> instances)
{
    std::vector<created> outcomes(instances.size());
    co_await create(std::move(instances), into(outcomes));
    co_return outcomes;
}

asio::awaitable<claimed<workflow_task>> store::claim_workflow_tasks(claim_request request)
{
    return claim_workflows(*core_, std::move(request));
}

asio::awaitable<claimed<activity_task>> store::claim_activity_tasks(claim_request request)
{
    return claim_activities(*core_, std::move(request));
}

asio::awaitable<std::vector<event>> store::load_history(
    instance_key instance, std::int32_t run, history_page page)
{
    std::vector<event> history;
    for (;;) {
        const auto have = static_cast<std::int32_t>(history.size());
        const std::int32_t wanted =
            page.limit ? std::min(*page.limit - have, most_events) : most_events;
        if (wanted <= 0) break;
        const pg::result rows = co_await read(
            *core_, core_->sql.load_history, instance, run, page.after + have, wanted);
        append_history(history, rows);
        if (rows.size() < static_cast<std::size_t>(wanted)) break;
    }
    co_return history;
}

asio::awaitable<std::vector<extension>> store::extend(
    std::vector<workflow_lease> leases, std::chrono::milliseconds lease)
{
    return extend_workflows(*core_, std::move(leases), lease);
}

asio::awaitable<std::vector<extension>> store::extend(
    std::vector<activity_lease> leases, std::chrono::milliseconds lease)
{
    return extend_activities(*core_, std::move(leases), lease);
}

asio::awaitable<void> store::complete(
    std::vector<workflow_completion> completions, answers<workflow_completed> answers)
{
    workflow_batch batch{*core_, std::move(completions)};
    co_await run(*core_, batch, std::move(answers));
}

asio::awaitable<std::vector<workflow_completed>> store::complete(
    std::vector<workflow_completion> completions)
{
    std::vector<workflow_completed> outcomes(completions.size());
    co_await complete(std::move(completions), into(outcomes));
    co_return outcomes;
}

asio::awaitable<void> store::complete(
    std::vector<activity_completion> completions, answers<activity_completed> answers)
{
    activity_batch batch{*core_, std::move(completions)};
    co_await run(*core_, batch, std::move(answers));
}

asio::awaitable<std::vector<activity_completed>> store::complete(
    std::vector<activity_completion> completions)
{
    std::vector<activity_completed> outcomes(completions.size());
    co_await complete(std::move(completions), into(outcomes));
    co_return outcomes;
}

asio::awaitable<std::vector<completion_status>> store::release(
    std::vector<workflow_release> releases)
{
    std::vector<completion_status> outcomes(releases.size());
    release_batch batch{*core_, std::move(releases)};
    co_await run(*core_, batch, into(outcomes));
    co_return outcomes;
}

asio::awaitable<void> store::signal(std::vector<signal_request> signals, answers<signalled> answers)
{
    signal_batch batch{*core_, deliveries_of(std::move(signals))};
    co_await run(*core_, batch, std::move(answers));
}

asio::awaitable<std::vector<signalled>> store::signal(std::vector<signal_request> signals)
{
    std::vector<signalled> outcomes(signals.size());
    co_await signal(std::move(signals), into(outcomes));
    co_return outcomes;
}

asio::awaitable<void> store::cancel(
    std::vector<cancel_request> requests, answers<signalled> answers)
{
    signal_batch batch{*core_, deliveries_of(std::move(requests))};
    co_await run(*core_, batch, std::move(answers));
}

asio::awaitable<std::vector<signalled>> store::cancel(std::vector<cancel_request> requests)
{
    std::vector<signalled> outcomes(requests.size());
    co_await cancel(std::move(requests), into(outcomes));
    co_return outcomes;
}

asio::awaitable<std::vector<stored_request>> store::read_requests(
    std::vector<std::string> without, std::int32_t limit, std::int64_t bytes)
{
    pg::pipeline work;
    work.add(core_->sql.lease_settings);
    work.add(core_->sql.read_requests, without, limit, bytes);
    const pg::result rows = co_await read_last(core_->pool, std::move(work));
    co_return request_batch::read(rows);
}

asio::awaitable<void> store::forward(
    std::vector<stored_request> requests, answers<forwarded> answers)
{
    request_batch batch{*core_, std::move(requests)};
    co_await run(*core_, batch, std::move(answers));
}

asio::awaitable<std::vector<forwarded>> store::forward(std::vector<stored_request> requests)
{
    std::vector<forwarded> outcomes(requests.size());
    co_await forward(std::move(requests), into(outcomes));
    co_return outcomes;
}

asio::awaitable<std::vector<removal>> store::remove(std::vector<std::string> ids)
{
    const pg::result rows = co_await read(*core_, core_->sql.look_up_removable, ids);
    std::vector<removal> outcomes;
    std::vector<std::string> removable;
    for (const auto& [position, outcome] : rows.rows<std::int64_t, removal>()) {
        outcomes.push_back(outcome);
        if (outcome == removal::removed) removable.push_back(ids[outcomes.size() - 1]);
    }
    co_await remove_instances(*core_, std::move(removable));
    co_return outcomes;
}

asio::awaitable<std::optional<instance_state>> store::state(std::string id)
{
    const pg::result rows = co_await read(
        *core_, core_->sql.state, std::optional<instance_key>{}, std::optional{std::move(id)});
    co_return read_state(rows);
}

asio::awaitable<std::optional<instance_state>> store::state(instance_key instance)
{
    const pg::result rows = co_await read(
        *core_, core_->sql.state, std::optional{instance}, std::optional<std::string>{});
    co_return read_state(rows);
}

asio::awaitable<std::vector<instance_state>> store::list(list_request request)
{
    const pg::result rows = co_await read(
        *core_, core_->sql.list_instances, request.status, request.workflow, request.queue,
        request.before, request.limit);
    co_return read_states(rows);
}

asio::awaitable<std::vector<event>> store::history(
    std::string id, std::optional<std::int32_t> run, history_page page)
{
    const std::optional<instance_state> found = co_await state(std::move(id));
    std::vector<event> events;
    if (found) events = co_await load_history(found->instance, run.value_or(found->run), page);
    co_return events;
}

asio::awaitable<statistics> store::read_statistics()
{
    const pg::result rows = co_await read(*core_, core_->sql.statistics);
    statistics read;
    for (auto [active, queue, workflow_tasks, activity_tasks] :
         rows.rows<
             std::int64_t, std::optional<std::string>, std::optional<std::int64_t>,
             std::optional<std::int64_t>>()) {
        read.active_instances = active;
        if (!queue) continue;
        queue_statistics& each = read.queues.emplace_back();
        each.queue = std::move(*queue);
        each.workflow_tasks = workflow_tasks.value_or(0);
        each.activity_tasks = activity_tasks.value_or(0);
    }
    co_return read;
}

asio::awaitable<std::vector<instance_result>> store::results(std::vector<instance_key> instances)
{
    const pg::result rows = co_await read(*core_, core_->sql.read_results, instances);
    std::vector<instance_result> results;
    for (const auto& [instance, status, data] :
         rows.rows<instance_key, std::optional<instance_status>, std::optional<pg::bytes>>()) {
        instance_result& result = results.emplace_back();
        result.instance = instance;
        result.removed = !status;
        if (status == instance_status::failed) result.kind = finish::kind::failed;
        if (status == instance_status::cancelled) result.kind = finish::kind::cancelled;
        if (data) result.data = payload::from_bytes(*data);
    }
    co_return results;
}

asio::awaitable<void> store::notify(std::string payload)
{
    pg::pipeline work;
    work.add(core_->sql.notify, core_->channel, payload, true);
    co_await core_->pool.run(std::move(work));
}

pg::pipeline::item store::safety_statement(
    const std::vector<std::int32_t>& topics, std::int32_t member) const
{
    pg::pipeline::item item{core_->sql.safety, {}};
    item.parameters.add(topics);
    item.parameters.add(member);
    return item;
}

} // namespace perdure::store
