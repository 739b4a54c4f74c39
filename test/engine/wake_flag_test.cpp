#include <engine/wake_flag.hpp>

#include "run.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>

#include <doctest/doctest.h>

#include <chrono>

namespace asio = boost::asio;
using perdure::wake_flag;
using namespace std::chrono_literals;

namespace {

constexpr auto never = wake_flag::time_point::max();

asio::awaitable<void> wait(wake_flag& flag, wake_flag::time_point deadline, bool& woken)
{
    co_await flag.wait_until(deadline);
    woken = true;
}

void ignore(std::exception_ptr) {}

void settle(asio::io_context& io)
{
    io.restart();
    io.poll();
}

} // namespace

TEST_CASE("a wake-up between looking and waiting is kept")
{
    asio::io_context io{1};
    wake_flag flag{io.get_executor()};
    flag.clear();
    flag.raise(); // while the poller was looking
    bool woken = false;
    perdure::test::run(io, wait(flag, never, woken));
    CHECK(woken);
}

TEST_CASE("a raised flag wakes the one who waits")
{
    asio::io_context io{1};
    wake_flag flag{io.get_executor()};
    bool woken = false;
    asio::co_spawn(io, wait(flag, never, woken), ignore);
    io.poll();
    CHECK_FALSE(woken);
    flag.raise();
    settle(io);
    CHECK(woken);
}

TEST_CASE("who rests wakes when the flag is raised, not at an instant that was set for looking")
{
    asio::io_context io{1};
    wake_flag flag{io.get_executor()};
    flag.wake_at(std::chrono::steady_clock::now() - 1s);
    bool woken = false;
    asio::co_spawn(
        io, flag.rest_until(never), [&woken](std::exception_ptr failure) { woken = !failure; });
    io.poll();
    flag.wake_at(std::chrono::steady_clock::now() - 2s);
    settle(io);
    CHECK_FALSE(woken);
    flag.raise();
    settle(io);
    CHECK(woken);
}

TEST_CASE("clearing forgets earlier wake-ups")
{
    asio::io_context io{1};
    wake_flag flag{io.get_executor()};
    flag.raise();
    flag.clear();
    bool woken = false;
    asio::co_spawn(io, wait(flag, never, woken), ignore);
    io.poll();
    CHECK_FALSE(woken);
    flag.raise();
    settle(io);
    CHECK(woken);
}

TEST_CASE("a wait that has begun ends at the instant that was given last")
{
    asio::io_context io{1};
    wake_flag flag{io.get_executor()};
    bool woken = false;
    const auto begun = std::chrono::steady_clock::now();
    asio::co_spawn(io, wait(flag, begun + 1h, woken), ignore);
    io.poll();
    flag.wake_at(begun + 30min);
    flag.wake_at(begun + 20ms);
    io.restart();
    io.run();
    CHECK(woken);
    CHECK(std::chrono::steady_clock::now() >= begun + 20ms);
}

TEST_CASE("the wait ends at its deadline without a wake-up")
{
    asio::io_context io{1};
    wake_flag flag{io.get_executor()};
    bool woken = false;
    perdure::test::run(io, wait(flag, std::chrono::steady_clock::now() + 5ms, woken));
    CHECK(woken);
}

TEST_CASE("a cancelled wait ends with operation_aborted")
{
    asio::io_context io{1};
    wake_flag flag{io.get_executor()};
    bool woken = false;
    asio::cancellation_signal cancel;
    std::exception_ptr failure;
    asio::co_spawn(
        io, wait(flag, never, woken),
        asio::bind_cancellation_slot(
            cancel.slot(), [&](std::exception_ptr caught) { failure = caught; }));
    io.poll();
    cancel.emit(asio::cancellation_type::terminal);
    settle(io);
    CHECK_FALSE(woken);
    REQUIRE(failure);
    try {
        std::rethrow_exception(failure);
    } catch (const boost::system::system_error& aborted) {
        CHECK(aborted.code() == asio::error::operation_aborted);
    }
}
