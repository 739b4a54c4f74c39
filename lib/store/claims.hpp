// Claiming tasks of both kinds, and keeping them.
#pragma once

#include <store/store_core.hpp>

#include <perdure/pg/result.hpp>
#include <perdure/store/tasks.hpp>

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace perdure::store {

/// Reads when to look again.
template <class T>
void read_due(claimed<T>& claim, const pg::result& rows)
{
    for (auto [queue, visible_at, now, looked_at] :
         rows.rows<std::string, std::optional<timestamp>, timestamp, timestamp>()) {
        claim.now = now;
        claim.looked_at = looked_at;
        if (visible_at && (!claim.next_due || *visible_at < *claim.next_due))
            claim.next_due = visible_at;
        claim.due.push_back({std::move(queue), visible_at});
    }
}

/// Workflow tasks without their histories, from what the statements read_claimed_tasks and
/// read_claimed_inbox gave.
std::vector<workflow_task> read_claimed_tasks(const pg::result& tasks, const pg::result& inboxes);

boost::asio::awaitable<claimed<workflow_task>> claim_workflows(
    store_core& core, claim_request request);

boost::asio::awaitable<claimed<activity_task>> claim_activities(
    store_core& core, claim_request request);

boost::asio::awaitable<std::vector<extension>> extend_workflows(
    store_core& core, std::vector<workflow_lease> leases, std::chrono::milliseconds lease);

boost::asio::awaitable<std::vector<extension>> extend_activities(
    store_core& core, std::vector<activity_lease> leases, std::chrono::milliseconds lease);

} // namespace perdure::store
