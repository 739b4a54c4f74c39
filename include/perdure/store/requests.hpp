// Requests: what somebody's transaction has written down for an instance, until it is delivered.
#pragma once

#include <perdure/workflow/event.hpp>
#include <perdure/workflow/payload.hpp>

#include <boost/uuid/uuid.hpp>

#include <cstdint>
#include <string>

namespace perdure::store {

/// The number of a request's row. Orders the requests of one transaction.
enum class request_key : std::int64_t
{
};

/// A request that waits to be delivered to whichever instance of the id is active then.
struct stored_request
{
    request_key k{};
    event_type type = event_type::signal_received; ///< or cancel_requested
    std::string id;                                ///< of the instance
    std::string name;                              ///< of the signal
    payload data;
    boost::uuids::uuid key{}; ///< by which it is delivered once, however often that is tried
};

/// What became of a request.
enum class forwarding
{
    delivered, ///< the instance will see it; this call's doing or another's
    dropped,   ///< no active instance has the id any more: it was deleted
    behind,    ///< nothing was changed: one to the same instance comes before it
    rejected   ///< nothing was changed: the server refuses it, the reason says why
};

/// What came of forwarding a request.
struct forwarded
{
    forwarding status = forwarding::delivered;
    std::string reason; ///< rejected: the server's words
};

} // namespace perdure::store
