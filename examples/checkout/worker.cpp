// The worker: the checkout workflow and the activities it is made of. Start as many as you like, on
// as many machines as you like. SIGTERM lets one finish what it holds, then it leaves; SIGKILL does
// no harm either.
#include "ledger.hpp"
#include "shop.hpp"

#include <perdure/perdure.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <cstdlib>
#include <exception>
#include <functional>
#include <iostream>
#include <thread>

namespace asio = boost::asio;
using namespace std::chrono_literals;

// A workflow decides; whatever touches the world is an activity.
perdure::task<shop::receipt> run_checkout(perdure::context ctx, shop::order order)
{
    std::string payment = co_await ctx.run(shop::charge(order).start_to_close(30s).attempts(5));
    // Killed here? Another worker goes on here, with the payment: the card is not charged again.
    std::optional<bool> approved = co_await ctx.receive(shop::approve).within(shop::patience);
    if (approved.value_or(false)) {
        auto shipped = co_await ctx.run(shop::ship(order)).as_result(); // a failure is a value here
        if (shipped) co_return shop::receipt{order.id, payment, true};
    }
    co_await ctx.run(shop::refund(order, payment));
    co_return shop::receipt{order.id, payment, false};
}

/// Does what the workflow asks for.
class clerk
{
public:
    explicit clerk(shop::ledger& ledger) : ledger_{ledger} {}

    // An activity may be a coroutine: thousands of them wait at the same time, on one thread.
    asio::awaitable<std::string> charge(perdure::activity_context ctx, shop::order order)
    {
        if (order.cents > shop::limit) throw shop::card_declined(shop::declined{"over the limit"});
        co_await ledger_.write(ctx, order);
        asio::steady_timer answer{co_await asio::this_coro::executor, 100ms}; // the card network's
        co_await answer.async_wait(asio::use_awaitable);
        co_return ctx.idempotency_key();
    }

    asio::awaitable<void> refund(perdure::activity_context ctx, shop::order order, std::string)
    {
        co_await ledger_.write(ctx, order);
    }

    // Or a plain function, which may block: it runs on one of the worker's threads.
    void ship(perdure::activity_context ctx, const shop::order& order)
    {
        std::this_thread::sleep_for(20ms); // the label printer
        ledger_.write_and_wait(ctx, order);
    }

private:
    shop::ledger& ledger_;
};

asio::awaitable<void> serve(perdure::worker& worker, shop::ledger& ledger)
{
    co_await ledger.create();
    co_await worker.run();
}

int main(int argc, char** argv)
try {
    const std::string name = argc > 1 ? argv[1] : "worker";
    const std::chrono::milliseconds lease{argc > 2 ? std::stol(argv[2]) : 10'000};
    const char* const dsn = std::getenv("PERDURE_DSN"); // nothing: what libpq takes for granted

    asio::io_context io{1};
    perdure::engine engine{io, dsn ? dsn : ""};
    shop::ledger ledger{io.get_executor(), dsn ? dsn : "", name};
    clerk staff{ledger};
    perdure::worker worker{engine, perdure::worker_options{}.queues({shop::queue}).lease(lease)};
    worker.implement(shop::checkout, run_checkout);
    worker.implement(shop::charge, std::bind_front(&clerk::charge, &staff));
    worker.implement(shop::refund, std::bind_front(&clerk::refund, &staff));
    worker.implement(shop::ship, std::bind_front(&clerk::ship, &staff));

    asio::signal_set stop{io, SIGINT, SIGTERM};
    stop.async_wait([&](auto, int) {
        stop.clear(); // a second signal ends the process at once
        worker.drain(10s);
    });
    asio::co_spawn(io, serve(worker, ledger), perdure::rethrow);
    io.run();
} catch (const std::exception& failure) {
    std::cerr << "perdure_checkout_worker: " << failure.what() << '\n';
    return EXIT_FAILURE;
}
