// Who a workflow's code is running for.
#pragma once

#include <cstdint>
#include <string>

namespace perdure {

/// The instance and run that a replayer replays.
struct instance_info
{
    std::string id;       ///< the instance's id
    std::string queue;    ///< the queue its workflow tasks are on
    std::int32_t run = 1; ///< number of the run: 1, and one more for each continue-as-new
};

} // namespace perdure
