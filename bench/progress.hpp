// How far a benchmark has come. Shown on a terminal only.
#pragma once

#include <chrono>
#include <string>

namespace bench {

class progress
{
public:
    explicit progress(int steps);
    progress(const progress&) = delete;
    progress& operator=(const progress&) = delete;
    ~progress();

    /// The next step begins; `what` it is stands beside the bar.
    void step(const std::string& what);

private:
    int steps_;
    int begun_ = 0;
    bool shown_;
    std::chrono::steady_clock::time_point since_ = std::chrono::steady_clock::now();
};

} // namespace bench
