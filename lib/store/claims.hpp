// Claiming tasks of both kinds, and keeping them.
#pragma once

#include <store/store_core.hpp>

#include <perdure/store/tasks.hpp>

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <vector>

namespace perdure::store {

boost::asio::awaitable<claimed<workflow_task>> claim_workflows(
    store_core& core, claim_request request);

boost::asio::awaitable<claimed<activity_task>> claim_activities(
    store_core& core, claim_request request);

boost::asio::awaitable<std::vector<extension>> extend_workflows(
    store_core& core, std::vector<workflow_lease> leases, std::chrono::milliseconds lease);

boost::asio::awaitable<std::vector<extension>> extend_activities(
    store_core& core, std::vector<activity_lease> leases, std::chrono::milliseconds lease);

} // namespace perdure::store
