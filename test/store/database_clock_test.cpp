#include <store/database_clock.hpp>

#include <doctest/doctest.h>

#include <chrono>

using perdure::timestamp;
using perdure::store::database_clock;
using namespace std::chrono_literals;

TEST_CASE("an instant of the database is the steady instant as far from the last reading")
{
    database_clock clock;
    const auto steady = std::chrono::steady_clock::now();
    const timestamp noon{std::chrono::sys_days{std::chrono::year{2026} / 7 / 1} + 12h};
    clock.observe(noon, steady);
    CHECK(clock.to_steady(noon + 3s) == steady + 3s);
    CHECK(clock.to_steady(noon - 3s) == steady - 3s);
}

TEST_CASE("an instant centuries ahead is never reached, whether the clock was read or not")
{
    const timestamp far{std::chrono::sys_days{std::chrono::year{9999} / 12 / 31}};
    database_clock clock;
    CHECK(clock.to_steady(far) == database_clock::time_point::max());
    clock.observe(
        timestamp{std::chrono::sys_days{std::chrono::year{2026} / 7 / 1}},
        std::chrono::steady_clock::now());
    CHECK(clock.to_steady(far) == database_clock::time_point::max());
    CHECK(clock.to_steady(timestamp::max()) == database_clock::time_point::max());
}
