// The workflows that are measured, as clients call them and workers implement them.
#pragma once

#include <perdure/workflow/definitions.hpp>

#include <chrono>
#include <cstdint>

namespace bench {

/// One activity, told when its instance was started.
constexpr perdure::workflow<"one-step", void(std::int64_t)> one_step;
/// As one-step, after so many milliseconds.
constexpr perdure::workflow<"nap", void(std::int64_t)> nap;
/// An activity that takes up its slot.
constexpr perdure::workflow<"hold", void()> hold;
/// Sleeps, and notes how late it woke.
constexpr perdure::workflow<"sleeper", void()> sleeper;

constexpr perdure::activity<"note", void(std::int64_t)> note;
constexpr perdure::activity<"wait", void()> wait;

/// Nanoseconds of the clock that all processes of a machine share.
inline std::int64_t steady_nanoseconds()
{
    return std::chrono::duration_cast<std::chrono::nanoseconds>(
               std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

} // namespace bench
