// How the demo is called.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace demo {

struct options
{
    double kill_after = 0.5;           // share of the orders that are done when a worker is killed
    std::chrono::milliseconds delay{}; // and so long after that; drawn together with the share
    std::uint64_t seed = 0;            // of what is drawn: share and delay, and which worker
    std::optional<std::string> help;   // what to print instead of doing anything
};

/// Reads the command line. Throws std::invalid_argument.
options parse_options(int argc, char** argv);

} // namespace demo
