#include <worker/backoff.hpp>

#include <doctest/doctest.h>

using namespace std::chrono_literals;

TEST_CASE("a back-off doubles up to its longest delay and starts again after a reset")
{
    perdure::backoff delay{5ms, 30ms};
    CHECK(delay.next() == 5ms);
    CHECK(delay.next() == 10ms);
    CHECK(delay.next() == 20ms);
    CHECK(delay.next() == 30ms);
    CHECK(delay.next() == 30ms);
    delay.reset();
    CHECK(delay.next() == 5ms);
}
