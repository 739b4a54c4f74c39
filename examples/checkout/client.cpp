// The client: places the orders of a file, one every 25 ms, sends what their customers answer, and
// waits for what becomes of them. It prints a line for everything that happens: order, what,
// particulars.
#include "orders.hpp"
#include "shop.hpp"

#include <perdure/perdure.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <cstdlib>
#include <exception>
#include <iostream>
#include <utility>

namespace asio = boost::asio;
using namespace std::chrono_literals;

asio::awaitable<void> pause(std::chrono::milliseconds time)
{
    asio::steady_timer timer{co_await asio::this_coro::executor, time};
    co_await timer.async_wait(asio::use_awaitable);
}

/// What a customer does: orders, thinks, answers when asked, waits for the receipt.
asio::awaitable<void> buy(perdure::client client, shop::order_line line)
{
    const shop::order& order = line;
    const std::chrono::duration<double> now = std::chrono::system_clock::now().time_since_epoch();
    auto checkout =
        co_await client.start(shop::checkout(order).id("checkout-" + order.id).queue(shop::queue));
    std::cout << order.id << " placed " << std::fixed << now.count() << std::endl;

    try {
        if (line.approve) {
            co_await pause(500ms);
            co_await checkout.signal(shop::approve, *line.approve);
        }
    } catch (const perdure::error& finished) { // declined meanwhile
        if (finished.code() != perdure::errc::not_found) throw;
    }
    try {
        shop::receipt receipt = co_await checkout.result();
        std::cout << order.id << (receipt.shipped ? " shipped " : " refunded ") << receipt.payment
                  << std::endl;
    } catch (const perdure::workflow_failed& failed) {
        const auto declined = failed.failed_as(shop::card_declined);
        if (!declined) throw;
        std::cout << order.id << " declined " << declined->reason << std::endl;
    }
}

asio::awaitable<void> buy_all(perdure::engine& engine, shop::order_file file, std::string prefix)
{
    perdure::client client{engine}; // while it lives it listens
    const auto executor = co_await asio::this_coro::executor;
    for (shop::order_line& line : file.orders) {
        line.id = prefix + line.id;
        asio::co_spawn(executor, buy(client, std::move(line)), perdure::rethrow);
        co_await pause(25ms);
    }
}

int main(int argc, char** argv)
try {
    if (argc < 2)
        throw std::runtime_error{"usage: perdure_checkout_client FILE [PREFIX OF THE ORDERS' IDS]"};
    shop::order_file file = shop::read_orders(argv[1]);
    std::cout << file.orders.size() << " orders" << std::endl;
    for (const shop::broken_line& line : file.broken)
        std::cout << "line " << line.number << ": " << line.problem << std::endl;

    const char* const dsn = std::getenv("PERDURE_DSN"); // nothing: what libpq takes for granted
    asio::io_context io{1};
    perdure::engine engine{io, dsn ? dsn : ""};
    asio::co_spawn(io, buy_all(engine, std::move(file), argc > 2 ? argv[2] : ""), perdure::rethrow);
    io.run();
} catch (const std::exception& failure) {
    std::cerr << "perdure_checkout_client: " << failure.what() << '\n';
    return EXIT_FAILURE;
}
