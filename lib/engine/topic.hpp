// What pollers look for: a kind of tasks on a queue.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace perdure {

/// Which table a poller looks at.
enum class task_kind
{
    workflow,
    activity,
    request ///< its one queue has no name
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
    static constexpr char letters[] = {'w', 'a', 'r'};
    return std::string{letters[static_cast<int>(what.kind)], ':'} + what.queue;
}

inline std::optional<topic> parse_topic(std::string_view text)
{
    if (text.size() < 2 || text[1] != ':') return std::nullopt;
    const std::string queue{text.substr(2)};
    switch (text[0]) {
    case 'w': return topic{task_kind::workflow, queue};
    case 'a': return topic{task_kind::activity, queue};
    case 'r': return topic{task_kind::request, queue};
    default: return std::nullopt;
    }
}

/// 32 bits of FNV-1a, the same in every process.
inline std::uint32_t fingerprint(std::string_view text) noexcept
{
    std::uint32_t hash = 2'166'136'261u;
    for (const char each : text) hash = (hash ^ static_cast<unsigned char>(each)) * 16'777'619u;
    return hash;
}

} // namespace perdure
