// What a process knows of one topic: shared by the places of its pollers and by what tells them.
#pragma once

#include <engine/lookouts.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace perdure {

/// Most that is remembered of a topic, of each kind: beyond that the earliest instant stands for
/// the others.
inline constexpr std::size_t most_remembered = 64;

struct lookout::state
{
    explicit state(topic what) : which{std::move(what)}, name{to_string(which)} {}

    topic which;
    std::string name;
    std::vector<lookout*> watching;
    std::vector<announced> waiting;               // announced, and not looked for
    std::vector<member_id> others;                // who look at it, too
    std::map<member_id, time_point> without_room; // those of them that said so, and until when
    std::optional<timestamp> told;                // an instant at which all of them look
    time_point asked_last_until{};                // by the others, who were told it has no room
    bool announced_presence = false;

    bool has_room() const noexcept
    {
        return std::ranges::any_of(watching, [](const lookout* each) { return each->room_; });
    }
};

} // namespace perdure
