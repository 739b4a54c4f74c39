// Ctrl-C ends a benchmark as an error does: what was started is stopped on the way out. So whoever
// waits, waits here.
#pragma once

#include <chrono>
#include <stdexcept>

namespace bench {

/// SIGINT, SIGTERM or SIGHUP arrived.
class interrupted : public std::runtime_error
{
public:
    interrupted();
};

/// From now on these signals make whoever waits throw `interrupted`.
void heed_interrupts();

/// \throws interrupted
void pause(std::chrono::duration<double> duration);

enum class readiness
{
    readable,
    timed_out
};

/// Waits until a descriptor can be read or has ended. \throws interrupted
readiness wait_readable(int descriptor, std::chrono::steady_clock::time_point deadline);

} // namespace bench
