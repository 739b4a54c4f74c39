// Whatever happens, nobody sleeps while there is work that he could do.
#include "wake_model.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <random>
#include <string>

using namespace perdure::model;

namespace {

unsigned first_seed()
{
    if (const char* const given = std::getenv("PERDURE_SEED"))
        return static_cast<unsigned>(std::stoul(given));
    return std::random_device{}();
}

} // namespace

TEST_CASE("nobody sleeps while there is work: whatever happens, each task is done in the end")
{
    const unsigned seed = first_seed();
    MESSAGE("PERDURE_SEED=", seed);
    int steps = 0;
    duration latest{};
    for (unsigned round = 0; steps < 100'000; ++round) {
        INFO("PERDURE_SEED=", seed + round);
        world all{seed + round};
        play(all, {});
        all.run(all.now + 60s); // a lease, a safety poll, and the patience behind those who died
        REQUIRE(all.tasks.empty());
        CHECK(all.done == all.committed);
        CHECK(all.latest < 41s); // a safety poll, or a lease that ended and then a safety poll
        latest = std::max(latest, all.latest);
        steps += all.steps;
    }
    MESSAGE(
        steps, " steps, a task waited for at most ",
        std::chrono::duration_cast<std::chrono::milliseconds>(latest).count(), " ms");
}

TEST_CASE("without faults nothing waits for a safety poll, and few look in vain")
{
    const unsigned seed = first_seed();
    MESSAGE("PERDURE_SEED=", seed);
    int steps = 0;
    int tasks = 0;
    int empty_claims = 0;
    for (unsigned round = 0; steps < 100'000; ++round) {
        INFO("PERDURE_SEED=", seed + round);
        world all{seed + round};
        play(all, {.any = false});
        all.run(all.now + 2s);
        REQUIRE(all.tasks.empty());
        CHECK(all.latest < 500ms); // whoever came first at some instant may have had no room
        steps += all.steps;
        tasks += all.done;
        empty_claims += all.empty_claims;
    }
    MESSAGE(tasks, " tasks, ", empty_claims, " empty claims");
    CHECK(empty_claims < 1.5 * tasks);
}

TEST_CASE("what one held that was killed is claimed within 50 ms of the end of its lease")
{
    const unsigned seed = first_seed();
    MESSAGE("PERDURE_SEED=", seed);
    int abandoned = 0;
    duration latest{};
    for (unsigned round = 0; abandoned < 100; ++round) {
        INFO("PERDURE_SEED=", seed + round);
        world all{seed + round};
        play(all, {.any = false, .one_is_killed = true});
        all.run(all.now + 60s); // what it was about to announce is found by the safety poll
        REQUIRE(all.tasks.empty());
        CHECK(all.latest_abandoned < 50ms);
        abandoned += all.abandoned;
        latest = std::max(latest, all.latest_abandoned);
    }
    MESSAGE(
        abandoned, " abandoned, ",
        std::chrono::duration_cast<std::chrono::microseconds>(latest).count(), " us late at most");
}
