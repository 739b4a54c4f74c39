// What docs/workflows.md shows of workers and clients, so that it compiles and does what is said
// there. That it is the same text is checked by workflow/documentation_test.cpp.
#include "run.hpp"
#include "server.hpp"
#include "workflow/shop.hpp"

#include <perdure/perdure.hpp>
#include <perdure/pg/connection.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/signal_set.hpp>

#include <doctest/doctest.h>

#include <csignal>
#include <iostream>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <utility>

#include <unistd.h>

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace documented {

perdure::task<shop::receipt> run_checkout(perdure::context ctx, shop::order order)
{
    const std::string payment = co_await ctx.run(shop::charge(order));
    co_await ctx.run(shop::ship(order));
    co_return shop::receipt{order.id, payment};
}

std::string charge_card(perdure::activity_context ctx, const shop::order& order)
{
    if (order.cents > 100'000) throw shop::card_declined(shop::declined{"over the limit"});
    return "payment " + ctx.idempotency_key();
}

void ship_parcel(perdure::activity_context, const shop::order&) {}

// What the main of a worker's program does.
void run_worker(const std::string& dsn)
{
    asio::io_context io{1};
    perdure::engine engine{io, dsn};
    perdure::worker worker{engine};
    worker.implement(shop::checkout, run_checkout);
    worker.implement(shop::charge, charge_card);
    worker.implement(shop::ship, ship_parcel);
    asio::signal_set stop{io, SIGINT, SIGTERM};
    stop.async_wait([&](auto, int) {
        stop.clear(); // from now on a signal ends the process at once
        worker.drain(10s);
    });
    asio::co_spawn(io, worker.run(), perdure::rethrow);
    io.run(); // until the worker has left
}

asio::awaitable<perdure::instance<shop::receipt>> place(perdure::client client, shop::order order)
{
    const std::string id = "checkout-" + order.id;
    try {
        co_return co_await client.start(shop::checkout(order).id(id));
    } catch (const perdure::error& problem) {
        if (problem.code() != perdure::errc::already_exists) throw;
    }
    co_return client.get(shop::checkout, id); // it was placed before
}

asio::awaitable<std::string> payment_of(perdure::instance<shop::receipt> bought)
{
    try {
        const shop::receipt receipt = co_await bought.result();
        co_return receipt.payment;
    } catch (const perdure::workflow_failed& failure) {
        const auto declined = failure.failed_as(shop::card_declined);
        if (!declined) throw;
        co_return "declined: " + declined->reason;
    }
}

asio::awaitable<void> buy(perdure::engine& engine, shop::order order)
{
    const perdure::client client{engine}; // made in here, so that io.run() returns when this does
    const auto bought = co_await place(client, order);
    const std::string payment = co_await payment_of(bought);
    std::cout << bought.id() << ": " << payment << '\n';
}

// What the main of a client's program does.
void run_client(const std::string& dsn, shop::order order)
{
    asio::io_context io{1};
    perdure::engine engine{io, dsn};
    asio::co_spawn(io, buy(engine, order), perdure::rethrow);
    io.run();
}

asio::awaitable<void> remove_failed(perdure::client client)
{
    perdure::store::list_request failed;
    failed.workflow = "checkout";
    failed.status = perdure::store::instance_status::failed;
    const auto found = co_await client.list(failed); // the latest hundred
    std::set<std::string> ids;
    for (const perdure::store::instance_state& each : found) ids.insert(each.id);
    for (const std::string& id : ids) co_await client.remove(id);
}

} // namespace documented

namespace {

/// Keeps what is printed while it lives.
class printed
{
public:
    printed() : before_{std::cout.rdbuf(text_.rdbuf())} {}
    printed(const printed&) = delete;
    printed& operator=(const printed&) = delete;
    ~printed() { std::cout.rdbuf(before_); }
    std::string text() const { return text_.str(); }

private:
    std::ostringstream text_;
    std::streambuf* before_;
};

} // namespace

TEST_CASE("the documented worker and client do what is said of them")
{
    const std::string dsn = test_dsn();
    perdure::test::run([&]() -> asio::awaitable<void> {
        perdure::pg::connection_options options{dsn};
        perdure::pg::connection session =
            co_await perdure::pg::connection::connect(std::move(options));
        co_await perdure::store::migrate(session, "perdure");
    });
    const shop::order cheap{"A-17", 4200};
    const shop::order dear{"A-18", 1'000'000};
    asio::io_context io{1};
    perdure::engine engine{io, dsn};
    perdure::client client{engine};

    perdure::test::run(io, [&]() -> asio::awaitable<void> { // nobody works yet
        const auto first = co_await documented::place(client, cheap);
        const auto again = co_await documented::place(client, cheap);
        CHECK(first.id() == again.id());
        const auto all = co_await client.list();
        CHECK(all.size() == 1);
    });
    std::thread worker{[&] { documented::run_worker(dsn); }};
    std::string said;
    {
        const printed here;
        documented::run_client(dsn, cheap);
        documented::run_client(dsn, dear);
        said = here.text();
    }
    CHECK(said.starts_with("checkout-A-17: payment "));
    CHECK(said.ends_with("\ncheckout-A-18: declined: over the limit\n"));

    perdure::test::run(io, [&]() -> asio::awaitable<void> {
        co_await documented::remove_failed(client);
        const auto left = co_await client.list();
        REQUIRE(left.size() == 1);
        CHECK(left.front().id == "checkout-A-17");
    });
    ::kill(::getpid(), SIGTERM);
    worker.join();
}
