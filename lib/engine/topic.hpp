// What pollers look for: a kind of tasks on a queue.
#pragma once

#include <algorithm>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace perdure {

/// Which of the two task tables a poller claims from.
enum class task_kind
{
    workflow,
    activity
};

struct topic
{
    task_kind kind = task_kind::workflow;
    std::string queue;

    friend auto operator<=>(const topic&, const topic&) = default;
};

/// As announcements name it: `w:eu`.
inline std::string to_string(const topic& what)
{
    return (what.kind == task_kind::workflow ? "w:" : "a:") + what.queue;
}

inline std::optional<topic> parse_topic(std::string_view text)
{
    if (text.size() < 2 || text[1] != ':' || (text[0] != 'w' && text[0] != 'a')) return {};
    return topic{
        text[0] == 'w' ? task_kind::workflow : task_kind::activity, std::string{text.substr(2)}};
}

/// 32 bits of FNV-1a, the same in every process.
inline std::uint32_t fingerprint(std::string_view text) noexcept
{
    std::uint32_t hash = 2'166'136'261u;
    for (const char each : text) hash = (hash ^ static_cast<unsigned char>(each)) * 16'777'619u;
    return hash;
}

} // namespace perdure
