// A client that starts instances, in a closed or an open loop.
#include "control.hpp"
#include "roles.hpp"
#include "workflows.hpp"

#include <perdure/client/client.hpp>
#include <perdure/engine/rethrow.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <cmath>
#include <exception>
#include <memory>
#include <numeric>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace bench {

namespace asio = boost::asio;
using clock_type = std::chrono::steady_clock;
using namespace std::chrono_literals;

namespace {

std::mt19937_64 random_numbers{std::random_device{}()};

double uniform(double most)
{
    return std::uniform_real_distribution<double>{0.0, std::max(most, 1e-9)}(random_numbers);
}

clock_type::duration microseconds(double count)
{
    return std::chrono::ceil<clock_type::duration>(
        std::chrono::duration<double, std::micro>{count});
}

clock_type::duration seconds(double count)
{
    return microseconds(count * 1e6);
}

asio::awaitable<void> start_one(perdure::client client, std::string queue)
{
    auto call = one_step(steady_nanoseconds());
    call.queue(std::move(queue));
    co_await client.start(std::move(call));
}

asio::awaitable<void> loop(perdure::client client, std::string queue, command given)
{
    const auto count = static_cast<std::size_t>(given.number());
    const double pause = given.number();
    const double jitter = given.number();
    const auto deadline = clock_type::now() + seconds(given.number());
    const asio::any_io_executor executor = co_await asio::this_coro::executor;
    asio::steady_timer timer{executor};
    std::vector<double> taken;
    while (taken.size() < count && clock_type::now() < deadline) {
        timer.expires_after(microseconds(pause + uniform(jitter)));
        co_await timer.async_wait(asio::use_awaitable);
        const auto begun = clock_type::now();
        auto call = one_step(steady_nanoseconds());
        call.queue(queue);
        auto started = co_await client.start(std::move(call));
        co_await started.result();
        taken.push_back(
            std::chrono::duration<double, std::micro>(clock_type::now() - begun).count());
    }
    answer(taken);
}

/// What is under way in an open loop.
struct flow
{
    std::size_t open = 0;
    std::size_t failed = 0;
};

/// Each start falls somewhere in a slot of its own, so that none of them keeps step with a poll.
asio::awaitable<void> rate(perdure::client client, std::string queue, command given)
{
    const double per_second = given.number();
    const double duration = given.number();
    const auto count = static_cast<std::size_t>(std::max(1.0, std::round(per_second * duration)));
    const asio::any_io_executor executor = co_await asio::this_coro::executor;
    asio::steady_timer timer{executor};
    const auto state = std::make_shared<flow>();
    const auto begun = clock_type::now();
    for (std::size_t i = 0; i < count; ++i) {
        timer.expires_at(begun + seconds((static_cast<double>(i) + uniform(1.0)) / per_second));
        co_await timer.async_wait(asio::use_awaitable);
        ++state->open;
        asio::co_spawn(executor, start_one(client, queue), [state](std::exception_ptr failure) {
            --state->open;
            if (failure) ++state->failed;
        });
    }
    while (state->open > 0) {
        timer.expires_after(1ms);
        co_await timer.async_wait(asio::use_awaitable);
    }
    const std::vector<double> numbers{
        static_cast<double>(count), static_cast<double>(state->failed)};
    answer(numbers);
}

/// Starts one after the other. Returns how many.
asio::awaitable<double> insert_until(
    perdure::client client, std::string queue, clock_type::time_point deadline)
{
    double count = 0.0;
    while (clock_type::now() < deadline) {
        co_await start_one(client, queue);
        count += 1.0;
    }
    co_return count;
}

asio::awaitable<void> insert(perdure::client client, std::string queue, command given)
{
    const auto begun = clock_type::now();
    const auto deadline = begun + seconds(given.number());
    const auto callers = static_cast<std::size_t>(given.number());
    const asio::any_io_executor executor = co_await asio::this_coro::executor;
    const auto call = [&] {
        return asio::co_spawn(executor, insert_until(client, queue, deadline), asio::deferred);
    };
    std::vector<decltype(call())> calls;
    for (std::size_t i = 0; i < callers; ++i) calls.push_back(call());
    auto all = asio::experimental::make_parallel_group(std::move(calls));
    const auto done =
        co_await all.async_wait(asio::experimental::wait_for_one_error(), asio::use_awaitable);
    const auto& [order, failures, counts] = done;
    for (const std::exception_ptr& failure : failures)
        if (failure) std::rethrow_exception(failure);
    const double taken = std::chrono::duration<double>(clock_type::now() - begun).count();
    const std::vector<double> numbers{std::accumulate(counts.begin(), counts.end(), 0.0), taken};
    answer(numbers);
}

asio::awaitable<void> start_some(perdure::client client, std::string queue, command given)
{
    if (given.word() == "sleeper") {
        auto call = sleeper();
        call.id("sleeper-0-0");
        call.queue(queue);
        co_await client.start(std::move(call));
        answer({});
        co_return;
    }
    const auto count = static_cast<std::size_t>(given.number());
    const double longest = given.number();
    for (std::size_t i = 0; i < count; ++i) {
        if (given.word() == "hold") {
            auto call = hold();
            call.queue(queue);
            co_await client.start(std::move(call));
        } else {
            const double share = static_cast<double>(i + 1) / static_cast<double>(count);
            auto call = nap(static_cast<std::int64_t>(longest * share));
            call.queue(queue);
            co_await client.start(std::move(call));
        }
    }
    answer({});
}

asio::awaitable<void> obey(asio::io_context& io, perdure::engine& engine, std::string queue)
{
    {
        perdure::client client{engine};
        control parent{io.get_executor()};
        for (;;) {
            const std::optional<std::string> line = co_await parent.next();
            if (!line) break;
            command given{*line};
            if (given.word() == "loop")
                co_await loop(client, queue, std::move(given));
            else if (given.word() == "rate")
                co_await rate(client, queue, std::move(given));
            else if (given.word() == "insert")
                co_await insert(client, queue, std::move(given));
            else
                co_await start_some(client, queue, std::move(given));
        }
    }
    io.stop();
}

} // namespace

int play_client(const role_setup& setup)
{
    asio::io_context io{1};
    perdure::engine engine{io, setup.dsn, setup.engine()};
    asio::co_spawn(io, obey(io, engine, setup.queue), perdure::rethrow);
    io.run();
    return 0;
}

} // namespace bench
