// What `--json` prints.
#pragma once

#include <perdure/store/instances.hpp>

#include <boost/json/object.hpp>

namespace perdure::tool {

/// An instance's state as an object; members that have no value are null.
boost::json::object to_json(const store::instance_state& state);

/// What is pending, as an object: `active_instances`, and `queues`, an array of objects.
boost::json::object to_json(const store::statistics& counted);

} // namespace perdure::tool
