// What every benchmark is told: how long, how often, and where to put what it finds.
#pragma once

#include <chrono>
#include <string>

namespace bench {

class options
{
public:
    bool quick = false;   ///< seconds instead of minutes: to see that everything works
    std::string data;     ///< where the server keeps its data; empty: a temporary directory
    std::string json;     ///< file for the report; empty: none
    std::string plot;     ///< file for the picture; empty: none
    int repeats = 0;      ///< 0: as many as the benchmark finds right
    double seconds = 0.0; ///< of one measurement; 0: as long as the benchmark finds right

    int repeats_or(int usual) const
    {
        if (repeats > 0) return repeats;
        return quick ? 1 : usual;
    }

    std::chrono::duration<double> seconds_or(double usual, double quickly) const
    {
        if (seconds > 0.0) return std::chrono::duration<double>{seconds};
        return std::chrono::duration<double>{quick ? quickly : usual};
    }
};

} // namespace bench
