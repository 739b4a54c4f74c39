// A workflow, its worker and its client in one program: hello [connection string]
#include <perdure/dev/server.hpp>
#include <perdure/perdure.hpp>

#include <boost/asio/co_spawn.hpp>

#include <iostream>

using namespace std::chrono_literals;

struct order
{
    std::string id;
    std::int64_t cents = 0;
};
BOOST_DESCRIBE_STRUCT(order, (), (id, cents))

// Names that last: who asks for a checkout and who carries it out share nothing else.
inline constexpr perdure::workflow<"checkout", std::string(order)> checkout;
inline constexpr perdure::activity<"charge", std::string(order)> charge;
inline constexpr perdure::signal<"approve", bool> approve;

// A workflow decides. Kill its process anywhere: another one goes on from the same co_await.
perdure::task<std::string> run_checkout(perdure::context ctx, order o)
{
    std::string payment = co_await ctx.run(charge(o).attempts(5));
    std::optional<bool> approved = co_await ctx.receive(approve).within(24h);
    co_return payment + (approved.value_or(false) ? ", approved" : ", not approved");
}

// An activity touches the world. Its key is the same in every attempt, so nobody pays twice.
std::string charge_card(perdure::activity_context ctx, const order& o)
{
    return std::to_string(o.cents) + " cents as payment " + ctx.idempotency_key();
}

boost::asio::awaitable<void> buy(perdure::engine& engine, perdure::worker& worker, std::string dsn)
{
    auto session = co_await perdure::pg::connection::connect(perdure::pg::connection_options{dsn});
    co_await perdure::store::migrate(session, "perdure"); // makes the tables, once
    boost::asio::co_spawn(engine.get_executor(), worker.run(), perdure::rethrow);
    order o{"A-17", 4200}; // from here on the client's part, most often in another process
    auto bought = co_await perdure::client{engine}.start(checkout(o).id("checkout-" + o.id));
    co_await bought.signal(approve, true);
    std::cout << o.id << ": " << co_await bought.result() << '\n';
    worker.drain();
}

int main(int argc, char** argv)
try {
    std::optional<perdure::dev::server> server; // a private PostgreSQL, unless you name a database
    std::string dsn = argc > 1 ? argv[1] : server.emplace().dsn();
    boost::asio::io_context io{1};
    perdure::engine engine{io, dsn};
    perdure::worker worker{engine};
    worker.implement(checkout, run_checkout);
    worker.implement(charge, charge_card);
    boost::asio::co_spawn(io, buy(engine, worker, dsn), perdure::rethrow);
    io.run();
} catch (const std::exception& e) {
    std::cerr << "hello: " << e.what() << '\n';
    return 1;
}
