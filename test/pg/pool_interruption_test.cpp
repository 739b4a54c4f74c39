// What a pool does, and transactions and streams with and without one, interrupted at every point.
#include "interruption.hpp"

#include <doctest/doctest.h>

using namespace perdure;
using namespace std::chrono_literals;
namespace asio = boost::asio;
using namespace test;

TEST_CASE("acquiring may be interrupted anywhere, whatever it waits for")
{
    interrupted_operation o;
    o.operation = [](world& w) -> asio::awaitable<void> {
        pg::pooled_connection c = co_await w.pool->acquire();
        co_await asio::post(asio::use_awaitable); // to be interrupted while it is lent
        CHECK(c->clean());
    };
    o.close = close_pool;
    o.check = check_pool;
    o.prepare = with_pool;
    interrupt_everywhere("acquire a new connection", o);
    o.prepare = with_warm_pool;
    interrupt_everywhere("acquire an idle connection", o);

    // Somebody else has it, and gives it back while this one waits.
    const auto give_back = [](world& w) -> asio::awaitable<void> {
        for (int i = 0; i < 2; ++i) co_await asio::post(asio::use_awaitable);
        w.lent.reset();
    };
    o.prepare = [give_back](world& w) {
        with_empty_pool(w);
        asio::co_spawn(w.io, give_back(w), [](std::exception_ptr) {});
    };
    interrupt_everywhere("acquire a connection that comes back", o);

    const auto drop = [](world& w) -> asio::awaitable<void> {
        for (int i = 0; i < 2; ++i) co_await asio::post(asio::use_awaitable);
        (*w.lent)->close();
        w.lent.reset();
    };
    o.prepare = [drop](world& w) {
        with_empty_pool(w);
        asio::co_spawn(w.io, drop(w), [](std::exception_ptr) {});
    };
    interrupt_everywhere("acquire a place that becomes free", o);
}

TEST_CASE("a pool's operations may be interrupted anywhere")
{
    interrupted_operation o;
    o.check = check_pool_and_commit;
    o.prepare = with_warm_pool;
    o.operation = [](world& w) -> asio::awaitable<void> {
        const pg::pipeline_result r = co_await w.pool->run(transaction());
        CHECK(r.committed());
    };
    interrupt_everywhere("pool.run on an idle connection", o);
    o.prepare = with_pool;
    interrupt_everywhere("pool.run on a new connection", o);

    o.check = check_pool;
    o.operation = [](world& w) -> asio::awaitable<void> {
        const pg::result answer = co_await w.pool->execute(one);
        check_answer(answer, one);
    };
    interrupt_everywhere("pool.execute on a new connection", o);
    o.prepare = with_warm_pool;
    interrupt_everywhere("pool.execute on an idle connection", o);
}

TEST_CASE("a transaction of several round trips may be interrupted anywhere")
{
    interrupted_operation o = on_connection([](world& w) -> asio::awaitable<void> {
        pg::transaction t = co_await w.connection->begin();
        const pg::result answer = co_await t.execute(one);
        check_answer(answer, one);
        co_await t.execute(two);
        co_await t.commit();
    });
    o.check = [](world& w, interruption how, bool succeeded) {
        CHECK((!succeeded || w.server.commits() == 1));
        if (how == interruption::cancelled) w.run(recover(w));
        check_connection(w, how, succeeded && w.connection->usable());
    };
    interrupt_everywhere("connection.begin to commit", o);

    o.prepare = with_warm_pool;
    o.operation = [](world& w) -> asio::awaitable<void> {
        const auto work = [](pg::transaction& t) -> asio::awaitable<void> {
            const pg::result answer = co_await t.execute(one);
            check_answer(answer, one);
        };
        co_await w.pool->transaction(work);
    };
    o.close = {};
    o.check = check_pool_and_commit;
    interrupt_everywhere("pool.transaction", o);

    o.operation = [](world& w) -> asio::awaitable<void> {
        pg::transaction t = co_await w.pool->begin();
        co_await t.execute(two);
        co_await t.rollback();
    };
    o.check = check_pool;
    interrupt_everywhere("pool.begin to rollback", o);
}

TEST_CASE("reading a stream may be interrupted anywhere")
{
    const auto read = [](pg::row_stream rows) -> asio::awaitable<std::size_t> {
        std::size_t count = 0;
        for (;;) {
            const pg::result some = co_await rows.next();
            if (some.empty()) break;
            count += some.size();
            CHECK(some.get<std::string>(0, 0) == many.sql());
        }
        co_return count;
    };
    interrupted_operation o = on_connection([read](world& w) -> asio::awaitable<void> {
        pg::row_stream rows = co_await w.connection->stream(many);
        const std::size_t count = co_await read(std::move(rows));
        CHECK(count == 10);
    });
    o.check = [](world& w, interruption how, bool succeeded) {
        if (how == interruption::cancelled) w.run(recover(w));
        check_connection(w, how, succeeded);
    };
    o.bytes_a_step = 9;
    interrupt_everywhere("connection.stream", o);

    o.prepare = with_warm_pool;
    o.operation = [read](world& w) -> asio::awaitable<void> {
        pg::row_stream rows = co_await w.pool->stream(many);
        const std::size_t count = co_await read(std::move(rows));
        CHECK(count == 10);
    };
    o.close = {};
    o.check = check_pool;
    interrupt_everywhere("pool.stream", o);
}

TEST_CASE("on a real server, too, a pool is clean wherever its transaction was interrupted")
{
    const std::string name = unique_schema();
    const pg::statement insert{"insert into " + name + " values ($1)"};
    const pg::statement inserted{"select exists (select from " + name + " where n = $1)"};
    const pg::statement open{"select count(*) from pg_stat_activity where application_name = $1 "
                             "and state like 'idle in transaction%'"};
    const pg::statement next{"select $1"};
    int n = 0;
    test::run([&]() -> asio::awaitable<void> {
        pg::connection control = co_await test::connect();
        co_await control.execute_script("create table " + name + " (n int primary key)");
    });
    for (bool more = true; more; ++n) {
        INFO("after handler ", n);
        asio::io_context io{1};
        pg::pool pool{
            io.get_executor(),
            pg::pool_options{pg::connection_options{test_dsn() + " application_name=" + name}}.size(
                1)};
        const auto operation = [&]() -> asio::awaitable<void> {
            co_await asio::post(asio::use_awaitable);
            const auto work = [&](pg::transaction& t) -> asio::awaitable<void> {
                co_await t.execute(insert, n);
            };
            co_await pool.transaction(work);
        };
        asio::cancellation_signal cancel;
        bool done = false;
        std::exception_ptr failure;
        asio::co_spawn(
            io, operation(), asio::bind_cancellation_slot(cancel.slot(), [&](std::exception_ptr e) {
                done = true;
                failure = e;
            }));
        const auto end = std::chrono::steady_clock::now() + test::deadline;
        io.run_one_until(end); // it has begun
        for (int i = 0; i < n && !done; ++i) io.run_one_until(end);
        more = !done;
        cancel.emit(asio::cancellation_type::terminal);
        while (!done && io.run_one_until(end) > 0) {}
        REQUIRE(done);
        test::run(io, [&]() -> asio::awaitable<void> {
            for (int i = 0; i < 2; ++i) {
                const pg::result answer = co_await pool.execute(next, 1000 * n + i);
                CHECK(answer.get<int>(0, 0) == 1000 * n + i);
            }
            CHECK(pool.idle() == 1);
            pg::connection control = co_await test::connect();
            const pg::result dirty = co_await control.execute(open, name);
            CHECK(dirty.get<std::int64_t>(0, 0) == 0);
            const pg::result there = co_await control.execute(inserted, n);
            if (!failure) CHECK(there.get<bool>(0, 0));
        });
        if (failure) CHECK_THROWS_AS(std::rethrow_exception(failure), boost::system::system_error);
    }
    CHECK(n > 5);
    MESSAGE(n, " points");
}
