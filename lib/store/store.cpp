#include <perdure/store/store.hpp>

#include <store/activity_batch.hpp>
#include <store/claims.hpp>
#include <store/create_batch.hpp>
#include <store/event_rows.hpp>
#include <store/release_batch.hpp>
#include <store/signal_batch.hpp>
#include <store/store_core.hpp>
#include <store/workflow_batch.hpp>

#include <utility>

namespace perdure::store {

namespace asio = boost::asio;

namespace {

/// Reads the columns that state_by_id, state_by_key and list_instances share.
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

/// Runs a batch of some operation and gives what came of each item.
template <class Operation>
asio::awaitable<void> run(store_core& core, Operation& operation)
{
    co_await run_batch(core, operation, operation.sizes(), Operation::limits());
}

} // namespace

due_queues read_due_queues(const pg::result& rows)
{
    due_queues read;
    for (auto [now, activities, queue, visible_at] :
         rows.rows<
             timestamp, std::optional<bool>, std::optional<std::string>,
             std::optional<timestamp>>()) {
        read.now = now;
        if (queue) read.queues.push_back(due_queue{*activities, std::move(*queue), *visible_at});
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

asio::awaitable<std::vector<created>> store::create(std::vector<new_instance> instances)
{
    create_batch batch{*core_, std::move(instances)};
    co_await run(*core_, batch);
    co_return batch.take();
}

asio::awaitable<claimed<workflow_task>> store::claim_workflow_tasks(claim_request request)
{
    workflow_claim claim = co_await claim_workflows(*core_, std::move(request));
    if (!claim.unreadable.empty()) co_await release(std::move(claim.unreadable));
    co_return std::move(claim.readable);
}

asio::awaitable<claimed<activity_task>> store::claim_activity_tasks(claim_request request)
{
    activity_claim claim = co_await claim_activities(*core_, std::move(request));
    if (!claim.unreadable.empty()) co_await complete(std::move(claim.unreadable));
    co_return std::move(claim.readable);
}

asio::awaitable<std::vector<event>> store::load_history(
    instance_key instance, std::int32_t run, std::int32_t after)
{
    const pg::result rows =
        co_await core_->pool.execute(core_->sql.load_history, instance, run, after);
    co_return read_history(rows);
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

asio::awaitable<std::vector<workflow_completed>> store::complete(
    std::vector<workflow_completion> completions)
{
    workflow_batch batch{*core_, std::move(completions)};
    co_await run(*core_, batch);
    std::vector<workflow_release> unreadable = batch.take_unreadable();
    if (!unreadable.empty()) co_await release(std::move(unreadable));
    co_return batch.take();
}

asio::awaitable<std::vector<activity_completed>> store::complete(
    std::vector<activity_completion> completions)
{
    activity_batch batch{*core_, std::move(completions)};
    co_await run(*core_, batch);
    co_return batch.take();
}

asio::awaitable<std::vector<completion_status>> store::release(
    std::vector<workflow_release> releases)
{
    release_batch batch{*core_, std::move(releases)};
    co_await run(*core_, batch);
    co_return batch.take();
}

asio::awaitable<std::vector<signal_status>> store::signal(std::vector<signal_request> signals)
{
    signal_batch batch{*core_, std::move(signals)};
    co_await run(*core_, batch);
    co_return batch.take();
}

asio::awaitable<std::optional<instance_state>> store::state(std::string id)
{
    const pg::result rows = co_await core_->pool.execute(core_->sql.state_by_id, id);
    co_return read_state(rows);
}

asio::awaitable<std::optional<instance_state>> store::state(instance_key instance)
{
    const pg::result rows = co_await core_->pool.execute(core_->sql.state_by_key, instance);
    co_return read_state(rows);
}

asio::awaitable<std::vector<instance_state>> store::list(list_request request)
{
    const pg::result rows = co_await core_->pool.execute(
        core_->sql.list_instances, request.status, request.workflow, request.queue, request.before,
        request.limit);
    co_return read_states(rows);
}

asio::awaitable<std::vector<event>> store::history(std::string id, std::optional<std::int32_t> run)
{
    const std::optional<instance_state> found = co_await state(std::move(id));
    if (!found) co_return std::vector<event>{};
    std::vector<event> events = co_await load_history(found->instance, run.value_or(found->run));
    co_return events;
}

asio::awaitable<std::vector<instance_result>> store::results(std::vector<instance_key> instances)
{
    const pg::result rows = co_await core_->pool.execute(core_->sql.read_results, instances);
    std::vector<instance_result> results;
    for (const auto& [instance, status, data] :
         rows.rows<instance_key, instance_status, pg::bytes>()) {
        instance_result result;
        result.instance = instance;
        if (status == instance_status::failed) result.kind = finish::kind::failed;
        result.data = payload::from_bytes(data);
        results.push_back(std::move(result));
    }
    co_return results;
}

const pg::statement& store::safety_statement() const noexcept
{
    return core_->sql.safety;
}

} // namespace perdure::store
