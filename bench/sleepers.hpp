// Very many sleeping instances, made cheaply: one is started and sleeps, the others are copies of its
// rows.
#pragma once

#include "installation.hpp"

#include <string>

namespace bench {

/// Starts an instance of sleeper on the queue and waits until it sleeps. Its worker ends with this.
void start_template(installation& on, const std::string& queue);

/// Copies it.
/// \param first    SQL: when the first of them is due
/// \param interval SQL: how much later each of the others
void copy_sleepers(
    installation& on, int count, const std::string& first, const std::string& interval);

} // namespace bench
