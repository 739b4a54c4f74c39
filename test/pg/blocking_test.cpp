// Blocking calls, away from the executor.
#include "run.hpp"

#include <pg/blocking.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/thread_pool.hpp>

#include <doctest/doctest.h>

#include <functional>
#include <future>

using namespace perdure;
using namespace std::chrono_literals;
namespace asio = boost::asio;
using std::chrono::steady_clock;

TEST_CASE("a blocking call that was given up before it began is never made")
{
    asio::thread_pool threads{1};
    std::promise<void> answer;
    bool slow_ended = false;
    bool late_begun = false;
    bool next_begun = false;
    test::run([&]() -> asio::awaitable<void> {
        std::function<void()> slow = [&] {
            answer.get_future().wait();
            slow_ended = true;
        };
        std::function<void()> late = [&] { late_begun = true; };
        std::function<void()> next = [&] { next_begun = true; };
        const asio::any_io_executor executor = threads.get_executor();
        const bool in_time =
            co_await pg::run_blocking(executor, std::move(slow), steady_clock::now() + 20ms);
        CHECK_FALSE(in_time);
        const bool begun =
            co_await pg::run_blocking(executor, std::move(late), steady_clock::now() + 20ms);
        CHECK_FALSE(begun);
        answer.set_value();
        const bool made =
            co_await pg::run_blocking(executor, std::move(next), steady_clock::now() + 10s);
        CHECK(made);
    });
    threads.join();
    CHECK(slow_ended);
    CHECK_FALSE(late_begun);
    CHECK(next_begun);
}
