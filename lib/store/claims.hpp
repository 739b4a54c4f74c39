// Claiming tasks of both kinds, and keeping them.
#pragma once

#include <store/store_core.hpp>

#include <perdure/store/completions.hpp>
#include <perdure/store/tasks.hpp>

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <vector>

namespace perdure::store {

/// What was claimed, and what of it cannot be read by this version of the library and is to be
/// handed back.
struct workflow_claim
{
    claimed<workflow_task> readable;
    std::vector<workflow_release> unreadable;
};

/// Likewise.
struct activity_claim
{
    claimed<activity_task> readable;
    std::vector<activity_completion> unreadable;
};

/// How long a task that this version cannot read waits for a worker that can.
inline constexpr std::chrono::milliseconds unreadable_delay{10'000};

boost::asio::awaitable<workflow_claim> claim_workflows(store_core& core, claim_request request);

boost::asio::awaitable<activity_claim> claim_activities(store_core& core, claim_request request);

boost::asio::awaitable<std::vector<extension>> extend_workflows(
    store_core& core, std::vector<workflow_lease> leases, std::chrono::milliseconds lease);

boost::asio::awaitable<std::vector<extension>> extend_activities(
    store_core& core, std::vector<activity_lease> leases, std::chrono::milliseconds lease);

/// Reads rows of (position, extended, present).
std::vector<extension> read_extensions(const pg::result& rows);

} // namespace perdure::store
