// A message that NOTIFY delivered.
#pragma once

#include <string>

namespace perdure::pg {

/// One notification.
struct notification
{
    std::string channel; ///< The channel it was sent to.
    std::string payload; ///< Up to 7,999 bytes; may be empty.
    int backend_pid = 0; ///< The server process that sent it.
};

} // namespace perdure::pg
