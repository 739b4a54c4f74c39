#include "waiting.hpp"

#include "text.hpp"

#include <cstdint>
#include <map>

namespace perdure::tool {

std::vector<std::string> pending_operations(const std::vector<event>& history)
{
    std::map<std::int32_t, std::string> pending;
    for (const event& each : history) {
        const std::string number = "#" + std::to_string(each.operation);
        switch (each.type) {
        case event_type::activity_scheduled:
            pending[each.operation] = "activity " + number + " " + each.name;
            break;
        case event_type::timer_started:
            pending[each.operation] =
                "timer " + number + (each.due ? " due " + to_text(*each.due) : std::string{});
            break;
        case event_type::activity_completed:
        case event_type::activity_failed:
        case event_type::activity_cancelled:
        case event_type::timer_fired:
        case event_type::timer_cancelled: pending.erase(each.operation); break;
        default: break;
        }
    }
    std::vector<std::string> lines;
    for (auto& [operation, line] : pending) lines.push_back(line);
    return lines;
}

} // namespace perdure::tool
