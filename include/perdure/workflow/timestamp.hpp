// Instants as they are recorded: microseconds since the Unix epoch, the resolution that PostgreSQL
// keeps.
#pragma once

#include <chrono>

namespace perdure {

/// An instant of the database's clock, in microseconds. A durable time never comes from a worker's
/// clock.
using timestamp = std::chrono::sys_time<std::chrono::microseconds>;

} // namespace perdure
