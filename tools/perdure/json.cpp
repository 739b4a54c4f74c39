#include "json.hpp"

#include "text.hpp"

#include <boost/json/array.hpp>

#include <cstdint>
#include <utility>

namespace perdure::tool {

boost::json::object to_json(const store::instance_state& state)
{
    boost::json::object object;
    object["id"] = state.id;
    object["instance"] = static_cast<std::int64_t>(state.instance);
    object["state"] = store::to_string(state.status);
    object["workflow"] = state.workflow;
    object["queue"] = state.queue;
    object["run"] = state.run;
    object["history_length"] = state.history_length;
    object["history_bytes"] = state.history_bytes;
    object["pending_events"] = state.pending_events;
    if (state.problem.empty())
        object["problem"] = nullptr;
    else
        object["problem"] = state.problem;
    object["created_at"] = to_text(state.created_at);
    if (state.finished_at)
        object["finished_at"] = to_text(*state.finished_at);
    else
        object["finished_at"] = nullptr;
    return object;
}

boost::json::object to_json(const store::statistics& counted)
{
    boost::json::array queues;
    for (const store::queue_statistics& each : counted.queues) {
        boost::json::object queue;
        queue["queue"] = each.queue;
        queue["workflow_tasks"] = each.workflow_tasks;
        queue["activity_tasks"] = each.activity_tasks;
        queues.push_back(std::move(queue));
    }
    boost::json::object object;
    object["active_instances"] = counted.active_instances;
    object["queues"] = std::move(queues);
    return object;
}

} // namespace perdure::tool
