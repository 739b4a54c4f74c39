// Who looks first. All processes that look at a topic hear of its tasks at the same time; if all of
// them looked, all but one would do so in vain. So each announcement puts them into an order, the
// same everywhere, and who is further behind waits longer.
#pragma once

#include <engine/topic.hpp>

#include <perdure/store/announcement.hpp>
#include <perdure/store/identifiers.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>

namespace perdure {

/// Also the second key of the advisory locks that show that a process listens.
using store::member_id;

/// The member that signs its announcements with this name.
inline member_id member_of(std::string_view name) noexcept
{
    return member_id{static_cast<std::int32_t>(fingerprint(name) & 0x7fff'ffffu)};
}

/// Its place in the order of an announcement: random, and the same wherever it is computed.
inline std::uint64_t place_of(member_id member, store::announcement_id id) noexcept
{
    std::uint64_t x =
        (std::uint64_t{static_cast<std::uint32_t>(id)} << 32) ^ static_cast<std::uint32_t>(member);
    x += 0x9e37'79b9'7f4a'7c15u; // splitmix64
    x = (x ^ (x >> 30)) * 0xbf58'476d'1ce4'e5b9u;
    x = (x ^ (x >> 27)) * 0x94d0'49bb'1331'11ebu;
    return x ^ (x >> 31);
}

/// How many of the others come before one.
inline unsigned count_before(
    member_id self, std::span<const member_id> others, store::announcement_id id) noexcept
{
    const std::uint64_t own = place_of(self, id);
    unsigned before = 0;
    for (const member_id other : others)
        if (place_of(other, id) < own) ++before;
    return before;
}

/// How long the one waits before whom so many come: 0, 20 ms, 80 ms, … 20 s, and no longer.
inline std::chrono::steady_clock::duration patience_behind(unsigned before) noexcept
{
    constexpr unsigned longest = 6;
    if (before == 0) return {};
    return std::chrono::milliseconds{5} * (1 << (2 * std::min(before, longest)));
}

/// How long others are told nothing of what a poller of this process looks for at once.
inline constexpr std::chrono::milliseconds time_to_look{10};

/// How long after an announcement whoever has found its tasks says so, unless that went along with
/// a commit before: in time for the second one not to look, and where there are many others for the
/// third, since a notification wakes all of them and a look in vain only one.
inline std::chrono::steady_clock::duration silence_towards(std::size_t others) noexcept
{
    constexpr std::size_t many = 8;
    return patience_behind(others > many ? 2 : 1) * 3 / 4;
}

} // namespace perdure
