// The code of docs/pg.md, so that it compiles and does what is said there.
#include "session.hpp"

#include <perdure/pg/identifier.hpp>
#include <perdure/pg/listener.hpp>
#include <perdure/pg/migrator.hpp>
#include <perdure/pg/pool.hpp>

#include <boost/asio/co_spawn.hpp>

#include <doctest/doctest.h>

#include <iostream>

namespace asio = boost::asio;
namespace pg = perdure::pg;
using namespace std::chrono_literals;
using namespace perdure;

TEST_CASE("connecting and executing are as documented")
{
    test::run([]() -> asio::awaitable<void> {
        pg::connection c = co_await pg::connection::connect(
            pg::connection_options{test_dsn() + " target_session_attrs=read-write"}
                .connect_timeout(5s)
                .statement_timeout(30s));
        co_await c.execute_script(
            "create temp table orders (id int8, shop text, due timestamptz);"
            "insert into orders values (1, 'x', null), (2, 'x', '2020-01-01')");

        const pg::statement due_orders{"select id, due from orders where shop = $1 and due < $2"};
        const std::string shop = "x";
        const pg::timestamp deadline = pg::timestamp::max();
        std::int64_t reminded = 0;
        const auto remind = [&](std::int64_t id, std::optional<pg::timestamp>) { reminded = id; };

        const pg::result r = co_await c.execute(due_orders, shop, deadline);
        for (auto [id, due] : r.rows<std::int64_t, std::optional<pg::timestamp>>()) remind(id, due);
        CHECK(reminded == 2);
    });
}

TEST_CASE("pipelines, transactions, pools and streams are as documented")
{
    asio::io_context io{1};
    const auto server = test::test_connection();
    pg::pool pool{io.get_executor(), pg::pool_options{server}.size(8).reserve(1)};
    const std::string schema = unique_schema();
    const auto sql = [&](std::string_view text) { return pg::load_statement(text, schema); };
    test::run(io, [&]() -> asio::awaitable<void> {
        {
            pg::pooled_connection c = co_await pool.acquire();
            co_await c->execute_script(pg::substitute_schema(
                "create schema {schema};"
                "create table {schema}.orders (id int8 primary key, cents int8);"
                "create table {schema}.stock (article text, pieces int);"
                "insert into {schema}.stock values ('tea', 3)",
                schema));
        }
        const auto insert_order = sql("insert into {schema}.orders values ($1, $2)");
        const auto take_from_stock =
            sql("update {schema}.stock set pieces = pieces - $2 where article = $1");
        const auto tell_others = sql("select pg_notify('orders', $1::int8::text)");
        const std::int64_t id = 1, cents = 100;
        const std::string article = "tea";

        pg::pipeline p;
        p.begin();
        p.add(insert_order, id, cents);
        const auto stock = p.add(take_from_stock, article, 1);
        p.commit();
        p.add(tell_others, id); // a transaction of its own, behind the commit
        const pg::pipeline_result taken = co_await pool.run(std::move(p));
        CHECK(taken[stock].affected() == 1);
        CHECK(!taken.after_commit());

        const auto add = sql("update {schema}.orders set cents = cents + $2 where id = $1");
        const std::int64_t from = 1, to = 2;
        co_await pool.execute(insert_order, to, cents);
        const auto transfer = [&](pg::transaction& tx) -> asio::awaitable<void> {
            co_await tx.execute(add, from, -cents);
            co_await tx.execute(add, to, cents);
        };
        co_await pool.transaction(transfer, pg::transaction_options{}.attempts(10));

        const auto balance = sql("select cents from {schema}.orders where id = $1");
        pg::transaction tx = co_await pool.begin(pg::transaction_options{}
                                                     .isolation(pg::isolation::serializable)
                                                     .access(pg::access::read_only)
                                                     .statement_timeout(2s)
                                                     .lock_timeout(500ms));
        const pg::result r = co_await tx.execute(balance, id);
        co_await tx.commit();
        CHECK(r.get<std::int64_t>(0, 0) == 0);

        const auto all_orders = sql("select id, cents from {schema}.orders where id >= $1");
        const std::int64_t since = 0;
        std::int64_t total = 0;
        pg::row_stream rows = co_await pool.stream(all_orders, since);
        for (;;) {
            const pg::result some = co_await rows.next();
            if (some.empty()) break;
            for (auto [order, price] : some.rows<std::int64_t, std::int64_t>()) total += price;
        }
        CHECK(total == 200);
    });
}

TEST_CASE("listening and migrating are as documented")
{
    asio::io_context io{1};
    const std::string dsn = test_dsn();
    bool looked = false;
    const auto look_for_what_was_missed = [&] { looked = true; };

    pg::listener_options options{pg::connection_options{dsn}};
    pg::listener listener{io.get_executor(), options.channels({"orders"})};
    listener.on_notification([](const pg::notification& n) { std::cout << n.payload << '\n'; });
    listener.on_gap([&] { look_for_what_was_missed(); });
    listener.on_down([](const pg::error& cause) { std::cerr << cause.what() << '\n'; });
    asio::co_spawn(io, listener.run(), [](std::exception_ptr) {});

    const std::string schema = unique_schema();
    test::run(io, [&]() -> asio::awaitable<void> {
        pg::connection c = co_await test::connect();
        const std::vector<pg::migration_file> files{
            {"0001_orders.up.sql", "create table {schema}.orders (id bigint primary key)"},
            {"0001_orders.down.sql", "drop table {schema}.orders"}};
        const pg::migrator shop{files, schema, "1.4.0"};
        co_await shop.up(c);    // applies what is pending; safe from many processes at once
        co_await shop.check(c); // at start: throws schema_missing or schema_too_new
        co_await test::wait_until([&] { return looked; });
    });
}
