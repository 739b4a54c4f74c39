// Whatever happens, nobody sleeps while there is work that he could do.
#include "wake_model.hpp"

#include <perdure/store/announcement.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <optional>
#include <random>
#include <string>

using namespace perdure;
using namespace perdure::model;

namespace {

unsigned first_seed()
{
    if (const char* const given = std::getenv("PERDURE_SEED"))
        return static_cast<unsigned>(std::stoul(given));
    return std::random_device{}();
}

struct faults
{
    bool any = true;
    bool one_is_killed = false; // and nothing else happens
};

/// Some processes, work for them, and what befalls them; then peace, until all is done.
void play(world& all, faults what)
{
    all.refuses = what.any;
    std::mt19937& random = all.random();
    const int count = all.once_in(3) ? 1 : std::uniform_int_distribution{2, 6}(random);
    int made = 0;
    const auto add = [&] {
        const auto slots = std::uniform_int_distribution<std::size_t>{1, 4}(random);
        all.processes.push_back(
            std::make_unique<process>(all, "process " + std::to_string(made++), slots));
        all.processes.back()->connect();
        all.processes.back()->look();
    };
    for (int i = 0; i < count; ++i) add();
    all.run(all.now + 20ms);
    const auto some = [&]() -> process& {
        for (;;) {
            process& each = *all.processes[std::uniform_int_distribution<std::size_t>{
                0, all.processes.size() - 1}(random)];
            if (each.alive()) return each;
        }
    };
    for (int i = 0; i < 60; ++i) {
        const bool crowd = all.once_in(8);
        for (int k = crowd ? std::uniform_int_distribution{2, 20}(random) : 1; k > 0; --k) {
            const time_point visible = all.once_in(3) ? all.now + all.between(1ms, 300ms) : all.now;
            if (all.once_in(3)) {
                some().commit_eagerly();
            } else if (all.once_in(2)) {
                some().commit(visible);
            } else { // by somebody else, with a trigger
                store::announcement outside;
                outside.since = timestamp::min();
                std::optional<timestamp> due;
                if (visible > all.now) due = all.there(visible);
                outside.add_workflow_queue("eu", due, all.some_holder());
                all.commit(visible, store::encode(outside));
            }
        }
        if (what.any && all.once_in(12)) some().cut_off(all.between(1ms, 300ms));
        if (what.any && all.once_in(15)) {
            some().kill();
            add();
        }
        if (all.once_in(15)) {
            some().leave();
            add();
        }
        if (what.one_is_killed && i == 30 && count > 1) {
            process& victim = some();
            for (int k = 0; k < 10; ++k) victim.commit(all.now);
            all.run(all.now + 8ms); // it holds some, most likely
            victim.kill();
        }
        if (all.once_in(6))
            all.run(all.now + 1s); // what was overlooked is not found by the way
        else
            all.run(all.now + (all.once_in(3) ? all.between(0us, 100ms) : all.between(0us, 2ms)));
    }
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
