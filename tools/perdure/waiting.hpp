// What an instance waits for, as far as its history tells.
#pragma once

#include <perdure/workflow/event.hpp>

#include <string>
#include <vector>

namespace perdure::tool {

/// The operations of a whole history whose outcome has not arrived, in their order: activities and
/// timers. Which signals a workflow waits for is known to its code only.
std::vector<std::string> pending_operations(const std::vector<event>& history);

} // namespace perdure::tool
