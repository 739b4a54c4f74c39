#include <perdure/workflow/event.hpp>

#include <algorithm>
#include <array>
#include <cstddef>

namespace perdure {

namespace {

constexpr std::array<std::string_view, 16> names = {
    "workflow_started",   "workflow_task",    "activity_scheduled", "activity_completed",
    "activity_failed",    "timer_started",    "timer_fired",        "timer_cancelled",
    "signal_received",    "side_effect",      "workflow_completed", "workflow_failed",
    "workflow_continued", "cancel_requested", "activity_cancelled", "workflow_cancelled"};

static_assert(names.size() == static_cast<std::size_t>(event_type::workflow_cancelled) + 1);

} // namespace

std::string_view to_string(event_type type) noexcept
{
    return names[static_cast<std::size_t>(type)];
}

std::optional<event_type> parse_event_type(std::string_view name) noexcept
{
    const auto found = std::find(names.begin(), names.end(), name);
    if (found == names.end()) return std::nullopt;
    return static_cast<event_type>(found - names.begin());
}

bool is_command(event_type type) noexcept
{
    switch (type) {
    case event_type::activity_scheduled:
    case event_type::timer_started:
    case event_type::timer_cancelled:
    case event_type::side_effect:
    case event_type::workflow_completed:
    case event_type::workflow_failed:
    case event_type::workflow_continued:
    case event_type::activity_cancelled:
    case event_type::workflow_cancelled: return true;
    case event_type::workflow_started:
    case event_type::workflow_task:
    case event_type::activity_completed:
    case event_type::activity_failed:
    case event_type::timer_fired:
    case event_type::signal_received:
    case event_type::cancel_requested: return false;
    }
    return false;
}

std::string describe(const event& what)
{
    std::string line(to_string(what.type));
    if (what.operation != 0) line += " #" + std::to_string(what.operation);
    if (!what.name.empty()) line += " " + what.name;
    return line;
}

} // namespace perdure
