#include <store/claims.hpp>
#include <store/event_rows.hpp>

#include <optional>
#include <utility>

namespace perdure::store {

namespace asio = boost::asio;

std::vector<workflow_task> read_claimed_tasks(const pg::result& tasks, const pg::result& inboxes)
{
    events_by_instance<arrived_event> inbox = read_inbox(inboxes);
    std::vector<workflow_task> claimed;
    for (auto
         [instance, id, workflow, queue, run, length, bytes, attempt, token, last_token, metadata] :
         tasks.rows<
             instance_key, std::string, std::string, std::string, std::int32_t, std::int32_t,
             std::int64_t, std::int32_t, claim_token, std::optional<claim_token>, pg::bytes>()) {
        workflow_task& task = claimed.emplace_back();
        task.instance = instance;
        task.id = std::move(id);
        task.workflow = std::move(workflow);
        task.queue = std::move(queue);
        task.run = run;
        task.history_length = length;
        task.history_bytes = bytes;
        task.attempt = attempt;
        task.token = token;
        task.last_token = last_token;
        task.arrived = std::move(inbox.events[instance]);
        task.metadata = payload::from_bytes(metadata);
        if (const auto found = inbox.unreadable.find(instance); found != inbox.unreadable.end())
            task.problem = found->second;
    }
    return claimed;
}

asio::awaitable<claimed<workflow_task>> claim_workflows(store_core& core, claim_request request)
{
    const claim_token token = draw_token();
    const std::vector<std::int16_t> priorities(request.queues.size());
    const statements& sql = core.sql;
    pg::pipeline work;
    work.begin();
    work.add(sql.lease_settings);
    work.add(
        sql.claim_workflow_tasks, request.queues, priorities, request.limit, token, request.lease,
        request.marks);
    const std::size_t tasks = work.add(sql.read_claimed_tasks);
    const std::size_t inboxes = work.add(sql.read_claimed_inbox);
    const std::size_t histories = work.add(sql.read_claimed_history);
    const std::size_t due =
        work.add(sql.next_workflow_due, request.queues, priorities, request.marks);
    work.commit();
    const pg::pipeline_result results = co_await core.pool.run(std::move(work));

    events_by_instance<event> history = read_histories(results[histories]);
    claimed<workflow_task> claim;
    read_due(claim, results[due]);
    core.clock.observe(claim.now);
    claim.tasks = read_claimed_tasks(results[tasks], results[inboxes]);
    for (workflow_task& task : claim.tasks) {
        task.claimed_at = claim.now;
        task.history = std::move(history.events[task.instance]);
        if (const auto found = history.unreadable.find(task.instance);
            found != history.unreadable.end())
            task.problem = found->second;
    }
    co_return claim;
}

asio::awaitable<std::vector<extension>> extend_workflows(
    store_core& core, std::vector<workflow_lease> leases, std::chrono::milliseconds lease)
{
    std::vector<instance_key> instances;
    std::vector<claim_token> tokens;
    for (const workflow_lease& each : leases) {
        instances.push_back(each.instance);
        tokens.push_back(each.token);
    }
    pg::pipeline work;
    work.begin();
    work.add(core.sql.lease_settings);
    const std::size_t extended = work.add(core.sql.extend_workflow_tasks, instances, tokens, lease);
    work.commit();
    const pg::pipeline_result results =
        co_await core.pool.run(std::move(work), pg::pool_priority::critical);
    std::vector<extension> outcomes;
    for (const auto& [position, held, present] :
         results[extended].rows<std::int64_t, bool, bool>()) {
        if (held)
            outcomes.push_back(extension::held);
        else
            outcomes.push_back(present ? extension::busy : extension::lost);
    }
    co_return outcomes;
}

} // namespace perdure::store
