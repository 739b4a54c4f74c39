// How often notifications go out, and what makes them wait. Without a database, in virtual time.
#include <engine/coalescer.hpp>

#include <doctest/doctest.h>

#include <chrono>

using namespace perdure;
using namespace std::chrono_literals;

namespace {

/// Somebody who commits, each time something new.
struct committer
{
    /// Returns whether it notified others along the way.
    bool commit(std::chrono::microseconds duration)
    {
        const bool leads = says.may_lead(now);
        says.commits(now);
        if (leads) {
            says.take();
            says.led(now);
        }
        now += duration;
        if (const auto alone = says.next(); alone && *alone <= now) { // sent by itself meanwhile
            says.take();
            says.led(*alone);
            ++sent_alone;
        }
        says.committed(now, duration);
        if (!leads) says.urge(now);
        return leads;
    }

    /// Of so many commits without a pause, how many notified others.
    int commits(int count, std::chrono::microseconds duration)
    {
        int led = 0;
        for (int i = 0; i < count; ++i) led += commit(duration) ? 1 : 0;
        return led;
    }

    coalescer says{1};
    coalescer::time_point now{1h};
    int sent_alone = 0;
};

} // namespace

TEST_CASE("commits that do not wait for each other: one notification in two milliseconds")
{
    for (const auto duration : {100us, 500us, 1000us}) {
        CAPTURE(duration.count());
        committer one;
        one.commits(100, duration);
        const double expected = static_cast<double>(1000 * duration / 2ms);
        CHECK(one.commits(1000, duration) == doctest::Approx(expected).epsilon(0.02));
        CHECK(one.sent_alone == 0); // the next commit takes along what waits
    }
    for (const auto duration : {2ms, 5ms, 20ms}) { // on a slow disk
        CAPTURE(duration.count());
        committer one;
        CHECK(one.commits(100, duration) == 100);
    }
}

TEST_CASE("of commits without a pause that wait for each other some notify for the others, too")
{
    for (const auto duration : {2ms, 5ms, 20ms}) {
        CAPTURE(duration.count());
        committer one;
        one.commit(100us);
        CHECK(one.commits(8, duration) == 8); // it may be a pause that was short by chance
        int led = 0;
        for (int i = 0; i < 50; ++i) { // now and then one is lucky
            led += one.commits(20, duration);
            one.commit(duration / 10);
        }
        CHECK(led > 80);
        CHECK(led < 250);
        CHECK(one.sent_alone == 0);
    }
}

TEST_CASE("what waits goes by itself when no other commit follows")
{
    committer one;
    one.commits(100, 500us);
    while (one.commit(500us)) {}
    REQUIRE(one.says.next());
    CHECK(*one.says.next() <= one.now + 2ms);
    one.says.take();
    one.says.led(one.now);
    CHECK_FALSE(one.says.next());
}

TEST_CASE("who pauses between commits notifies with each, however long they take")
{
    for (const auto duration : {3ms, 20ms, 10'000ms}) {
        CAPTURE(duration.count());
        committer one;
        one.commit(100us);
        one.commits(100, duration);
        for (int i = 0; i < 4; ++i) {
            one.commit(duration);
            one.now += 50ms;
        }
        for (int i = 0; i < 100; ++i) {
            CHECK(one.commit(duration));
            one.now += 50ms;
        }
    }
}

TEST_CASE("what is to be said while a commit waits for a lock does not wait for it")
{
    committer one;
    one.commits(100, 500us);
    one.says.commits(one.now); // and is never confirmed
    one.says.urge(one.now);
    CHECK(*one.says.next() <= one.now + 2ms);
}

TEST_CASE("who has room and who is there goes by itself, at once")
{
    committer one;
    one.commits(100, 20ms);
    one.now += 10ms;
    one.says.commits(one.now);
    one.says.pending().joined.emplace_back("w/eu");
    one.says.urge(one.now);
    CHECK_FALSE(one.says.rides(one.now));
    CHECK(*one.says.next() <= one.now + 2ms);
}
