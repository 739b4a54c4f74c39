#include <store/claims.hpp>

#include <perdure/workflow/error.hpp>

#include <optional>
#include <utility>

namespace perdure::store {

namespace asio = boost::asio;

asio::awaitable<claimed<activity_task>> claim_activities(store_core& core, claim_request request)
{
    const claim_token token = draw_token();
    const std::vector<std::int16_t> priorities(request.queues.size());
    pg::pipeline work;
    work.begin();
    work.add(core.sql.lease_settings);
    const std::size_t tasks = work.add(
        core.sql.claim_activity_tasks, request.queues, priorities, request.limit, token,
        request.lease, request.marks);
    const std::size_t due =
        work.add(core.sql.next_activity_due, request.queues, priorities, request.marks);
    work.commit();
    const pg::pipeline_result results = co_await core.pool.run(std::move(work));

    claimed<activity_task> claim;
    read_due(claim, results[due]);
    core.clock.observe(claim.now);
    for (auto
         [id, instance, instance_id, holder, workflow_queue, queue, name, run, operation, attempt,
          arguments, limit, attempts, initial_interval, coefficient, maximum_interval] :
         results[tasks]
             .rows<
                 std::int64_t, instance_key, std::string, std::optional<member_id>, std::string,
                 std::string, std::string, std::int32_t, std::int32_t, std::int32_t, pg::bytes,
                 std::int64_t, std::int32_t, std::int64_t, double, std::int64_t>()) {
        activity_task task;
        task.id = id;
        task.instance = instance;
        task.instance_id = std::move(instance_id);
        task.workflow_queue = std::move(workflow_queue);
        task.queue = std::move(queue);
        task.name = std::move(name);
        task.run = run;
        task.operation = operation;
        task.attempt = attempt;
        task.arguments = payload::from_bytes(arguments);
        task.token = token;
        task.holder = holder;
        try {
            task.options.queue(task.queue)
                .start_to_close(std::chrono::milliseconds{limit})
                .attempts(attempts)
                .initial_interval(std::chrono::milliseconds{initial_interval})
                .backoff_coefficient(coefficient)
                .maximum_interval(std::chrono::milliseconds{maximum_interval});
        } catch (const error& unusable) { // written by somebody else than this library
            task.problem = "activity \"" + task.name + "\": " + unusable.what();
        }
        claim.tasks.push_back(std::move(task));
    }
    co_return claim;
}

asio::awaitable<std::vector<extension>> extend_activities(
    store_core& core, std::vector<activity_lease> leases, std::chrono::milliseconds lease)
{
    std::vector<instance_key> instances;
    std::vector<std::int64_t> ids;
    std::vector<claim_token> tokens;
    for (const activity_lease& each : leases) {
        instances.push_back(each.instance);
        ids.push_back(each.id);
        tokens.push_back(each.token);
    }
    pg::pipeline work;
    work.begin();
    work.add(core.sql.lease_settings);
    const std::size_t extended =
        work.add(core.sql.extend_activity_tasks, instances, ids, tokens, lease);
    work.commit();
    const pg::pipeline_result results =
        co_await core.pool.run(std::move(work), pg::pool_priority::critical);
    std::vector<extension> outcomes;
    for (const auto& [position, held, present, cancelled] :
         results[extended].rows<std::int64_t, bool, bool, bool>()) {
        if (held)
            outcomes.push_back(cancelled ? extension::cancelled : extension::held);
        else
            outcomes.push_back(present ? extension::busy : extension::lost);
    }
    co_return outcomes;
}

} // namespace perdure::store
