// What `--json` prints of an instance.
#pragma once

#include <perdure/store/instances.hpp>

#include <boost/json/object.hpp>

namespace perdure::tool {

/// An instance's state as an object; members that have no value are null.
boost::json::object to_json(const store::instance_state& state);

} // namespace perdure::tool
