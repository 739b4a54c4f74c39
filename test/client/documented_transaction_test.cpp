// The code of docs/workflows.md that starts and signals in a transaction of the caller's.
#include "acceptance/installation.hpp"
#include "workflow/shop.hpp"

#include <perdure/pg/identifier.hpp>
#include <perdure/pg/pool.hpp>

#include <doctest/doctest.h>

#include <string>

namespace asio = boost::asio;
using namespace perdure::test;

namespace documented {

asio::awaitable<void> sell(
    perdure::client client, perdure::pg::pool& database, perdure::pg::statement insert_order,
    shop::order order)
{
    co_await database.transaction([&](perdure::pg::transaction& sale) -> asio::awaitable<void> {
        co_await sale.execute(insert_order, order.id, order.cents);
        const auto sold =
            co_await client.start(sale, shop::checkout(order).id("checkout-" + order.id));
        co_await sold.signal(sale, shop::note, "gift wrap, please");
    });
}

} // namespace documented

TEST_CASE("an order and its workflow are there together, as documented")
{
    const installation on;
    process here{on};
    const std::string schema = perdure::pg::quote_identifier(on.schema());
    here.run([&]() -> asio::awaitable<void> {
        perdure::pg::pool database{
            here.io().get_executor(),
            perdure::pg::pool_options{perdure::pg::connection_options{test_dsn()}}};
        const perdure::pg::statement table{
            "create table " + schema + ".orders (id text primary key, cents bigint)"};
        const perdure::pg::statement insert{"insert into " + schema + ".orders values ($1, $2)"};
        co_await database.execute(table);
        const shop::order order{"A-17", 4200};
        co_await documented::sell(here.client(), database, insert, order);
        const auto state = co_await here.client().get("checkout-A-17").state();
        CHECK(state.workflow == "checkout");
        bool refused = false;
        try {
            co_await documented::sell(here.client(), database, insert, order);
        } catch (const perdure::pg::error& failure) { // the order is there already
            refused = failure.sqlstate() == "23505";
        }
        CHECK(refused);
        const auto all = co_await here.client().list();
        CHECK(all.size() == 1);
        database.close();
    });
}
