#include <perdure/workflow/activity_options.hpp>

#include <perdure/workflow/checks.hpp>
#include <perdure/workflow/error.hpp>

#include <algorithm>
#include <utility>

namespace perdure {

namespace {

void require(bool condition, const char* sentence)
{
    if (!condition) throw error(errc::invalid_argument, sentence);
}

} // namespace

activity_options& activity_options::queue(std::string name)
{
    check_name("queue", name);
    queue_ = std::move(name);
    return *this;
}

activity_options& activity_options::start_to_close(std::chrono::milliseconds limit)
{
    require(limit.count() > 0, "an activity's start_to_close must be positive");
    start_to_close_ = limit;
    return *this;
}

activity_options& activity_options::attempts(std::int32_t count)
{
    require(count >= 0, "an activity's attempts must not be negative; 0 is without limit");
    attempts_ = count;
    return *this;
}

activity_options& activity_options::initial_interval(std::chrono::milliseconds pause)
{
    require(pause.count() >= 0, "an activity's initial_interval must not be negative");
    initial_interval_ = pause;
    return *this;
}

activity_options& activity_options::backoff_coefficient(double factor)
{
    require(
        factor >= 1 && factor <= 1000, "an activity's backoff_coefficient must be from 1 to 1000");
    backoff_coefficient_ = factor;
    return *this;
}

activity_options& activity_options::maximum_interval(std::chrono::milliseconds pause)
{
    require(pause.count() >= 0, "an activity's maximum_interval must not be negative");
    maximum_interval_ = pause;
    return *this;
}

std::chrono::milliseconds activity_options::pause_after(std::int32_t attempt) const noexcept
{
    const auto most = static_cast<double>(maximum_interval_.count());
    auto pause = static_cast<double>(initial_interval_.count());
    if (backoff_coefficient_ > 1 && pause > 0) {
        for (std::int32_t i = 1; i < attempt && pause < most; ++i) pause *= backoff_coefficient_;
    }
    return std::chrono::milliseconds(static_cast<std::int64_t>(std::min(pause, most)));
}

} // namespace perdure
