// Waiting longer each time: doubling from a first delay to a longest one.
#pragma once

#include <algorithm>
#include <chrono>

namespace perdure {

class backoff
{
public:
    backoff(std::chrono::milliseconds first, std::chrono::milliseconds longest)
        : first_{first}, longest_{longest}, next_{first}
    {}

    /// The delay to wait now; the next one is twice as long.
    std::chrono::milliseconds next() noexcept
    {
        const auto delay = next_;
        next_ = std::min(longest_, next_ * 2);
        return delay;
    }

    void reset() noexcept { next_ = first_; }

private:
    std::chrono::milliseconds first_;
    std::chrono::milliseconds longest_;
    std::chrono::milliseconds next_;
};

} // namespace perdure
