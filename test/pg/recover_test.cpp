#include "fake_server.hpp"
#include "session.hpp"

#include "../proxy.hpp"

#include <perdure/pg/identifier.hpp>
#include <perdure/pg/pool.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>

#include <doctest/doctest.h>

using namespace perdure;
using namespace std::chrono_literals;
namespace asio = boost::asio;
using clock_type = std::chrono::steady_clock;

namespace {

const pg::statement sleep_for{"select pg_sleep($1)"};
const pg::statement own_pid{"select pg_backend_pid()"};

pg::pool_options test_pool(std::size_t size)
{
    return pg::pool_options{test::test_connection()}.size(size);
}

/// Waits until the server process does what `condition`, on a row of pg_stat_activity, says.
asio::awaitable<void> wait_until_backend(pg::connection& by, int pid, std::string condition)
{
    const pg::statement look{
        "select exists (select from pg_stat_activity where pid = $1 and " + condition + ")"};
    const auto end = clock_type::now() + test::deadline;
    bool reached = false;
    while (!reached) {
        const pg::result r = co_await by.execute(look, pid);
        reached = r.get<bool>(0, 0);
        REQUIRE(clock_type::now() < end);
    }
}

/// Runs a pipeline on this connection, cancels it once the server executes it, and returns how it
/// ended.
asio::awaitable<boost::system::error_code> run_and_cancel(
    pg::connection& on, pg::pipeline statements, std::string until = "state = 'active'")
{
    const auto executor = co_await asio::this_coro::executor;
    pg::connection observer = co_await test::connect();
    const int pid = on.backend_pid();
    asio::cancellation_signal cancel;
    std::optional<boost::system::error_code> ended;
    auto operation = [](pg::connection& c, pg::pipeline p) -> asio::awaitable<void> {
        co_await c.run(std::move(p));
    };
    auto handler = [&](std::exception_ptr e) {
        ended.emplace();
        try {
            if (e) std::rethrow_exception(e);
        } catch (const boost::system::system_error& failure) {
            ended = failure.code();
        }
    };
    asio::co_spawn(
        executor, operation(on, std::move(statements)),
        asio::bind_cancellation_slot(cancel.slot(), std::move(handler)));
    co_await wait_until_backend(observer, pid, until);
    cancel.emit(asio::cancellation_type::terminal);
    co_await test::wait_until([&] { return ended.has_value(); });
    co_return *ended;
}

pg::pipeline sleeping(bool in_transaction)
{
    pg::pipeline p;
    if (in_transaction) p.begin();
    p.add(pg::statement{"select 1"});
    p.add(sleep_for, 600.0);
    return p;
}

} // namespace

TEST_CASE("an operation cancelled half way is cancelled on the server, and its pooled connection "
          "comes back clean")
{
    asio::io_context io{1};
    pg::pool pool{io.get_executor(), test_pool(1)};
    for (const bool in_transaction : {false, true}) {
        test::run(io, [&]() -> asio::awaitable<void> {
            int pid = 0;
            {
                pg::pooled_connection c = co_await pool.acquire();
                pid = c->backend_pid();
                const auto ended = co_await run_and_cancel(*c, sleeping(in_transaction));
                CHECK(ended == asio::error::operation_aborted);
                CHECK(!c->usable());
            }
            CHECK(pool.statistics().cleaning == 1);
            CHECK(pool.size() == 1);
            pg::pooled_connection c = co_await pool.acquire();
            CHECK(c->backend_pid() == pid);
            CHECK(c->clean());
            pg::pipeline both; // what was prepared and forgotten is prepared anew
            both.add(pg::statement{"select 1"});
            both.add(sleep_for, 0.0);
            const pg::pipeline_result r = co_await c->run(std::move(both));
            CHECK(r[0].get<int>(0, 0) == 1);
        });
    }
}

TEST_CASE("a standalone connection whose operation was cancelled is unusable until it is recovered")
{
    test::run([]() -> asio::awaitable<void> {
        pg::connection c = co_await test::connect();
        const int pid = c.backend_pid();
        pg::pipeline work = sleeping(true);
        const auto ended = co_await run_and_cancel(c, std::move(work));
        CHECK(ended == asio::error::operation_aborted);
        CHECK(!c.usable());
        CHECK(c.recoverable());
        const pg::error refused = co_await test::failure_of(c.execute(own_pid));
        CHECK(refused.code() == pg::errc::closed);

        const bool recovered = co_await c.recover();
        CHECK(recovered);
        CHECK(c.clean());
        CHECK(!c.recoverable());
        const pg::result r = co_await c.execute(own_pid);
        CHECK(r.get<int>(0, 0) == pid);
        const bool again = co_await c.recover(); // nothing to do
        CHECK(again);
    });
}

TEST_CASE("what the session had set up is forgotten when it is recovered")
{
    test::run([]() -> asio::awaitable<void> {
        pg::connection c = co_await test::connect();
        co_await c.execute_script("set work_mem = '7MB'; select pg_advisory_lock(4711)");
        co_await run_and_cancel(c, sleeping(false));
        const bool recovered = co_await c.recover();
        REQUIRE(recovered);
        const pg::result r = co_await c.execute(pg::statement{
            "select current_setting('work_mem') = '7MB', "
            "exists (select from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()), "
            "(select count(*) from pg_prepared_statements)"});
        CHECK(!r.get<bool>(0, 0));
        CHECK(!r.get<bool>(0, 1));
        CHECK(r.get<std::int64_t>(0, 2) == 1); // this one
    });
}

TEST_CASE("an answer of many rows that nobody wants is received and thrown away")
{
    asio::io_context io{1};
    pg::pool pool{io.get_executor(), test_pool(1)};
    test::run(io, [&]() -> asio::awaitable<void> {
        pg::pooled_connection c = co_await pool.acquire();
        const int pid = c->backend_pid();
        pg::pipeline large;
        large.add(pg::statement{"select repeat('x', 1000) from generate_series(1, 100000)"});
        large.add(sleep_for, 600.0);
        const auto ended = co_await run_and_cancel(
            *c, std::move(large), "wait_event in ('PgSleep', 'ClientWrite')");
        CHECK(ended == asio::error::operation_aborted);
        c.release();
        pg::pooled_connection next = co_await pool.acquire();
        CHECK(next->backend_pid() == pid);
    });
}

TEST_CASE("once COMMIT was sent a cancelled operation's connection is dropped, and the server goes "
          "on undisturbed")
{
    asio::io_context io{1};
    pg::pool pool{io.get_executor(), test_pool(1)};
    test::run(io, [&]() -> asio::awaitable<void> {
        pg::connection observer = co_await test::connect();
        const std::string schema = unique_schema();
        co_await observer.execute_script(
            pg::substitute_schema("create schema {schema}; create table {schema}.t ()", schema));
        pg::pooled_connection c = co_await pool.acquire();
        pg::pipeline p;
        p.begin();
        p.add(sleep_for, 0.3);
        p.add(pg::load_statement("insert into {schema}.t default values", schema));
        p.commit();
        const auto ended = co_await run_and_cancel(*c, std::move(p));
        CHECK(ended == asio::error::operation_aborted);
        CHECK(!c->recoverable());
        c.release();
        CHECK(pool.size() == 0);
        const pg::statement count = pg::load_statement("select count(*) from {schema}.t", schema);
        const auto end = clock_type::now() + test::deadline;
        std::int64_t rows = 0;
        while (rows == 0 && clock_type::now() < end) {
            const pg::result r = co_await observer.execute(count);
            rows = r.get<std::int64_t>(0, 0);
        }
        CHECK(rows == 1);
    });
}

TEST_CASE("a COMMIT written as text is not cancelled either")
{
    asio::io_context io{1};
    pg::pool pool{io.get_executor(), test_pool(1)};
    test::run(io, [&]() -> asio::awaitable<void> {
        pg::pooled_connection c = co_await pool.acquire();
        co_await c->execute(pg::statement{"begin"});
        pg::pipeline p;
        p.add(sleep_for, 0.3);
        p.add(pg::statement{"/* the end */ Commit"});
        const auto ended = co_await run_and_cancel(*c, std::move(p));
        CHECK(ended == asio::error::operation_aborted);
        CHECK(!c->recoverable());
        c.release();
        CHECK(pool.size() == 0);
    });
}

TEST_CASE("behind a pooling proxy a cancelled operation's connection is dropped")
{
    asio::io_context io{1};
    pg::connection_options options = test::test_connection();
    options.prepared_statements(false);
    pg::pool pool{io.get_executor(), pg::pool_options{options}.size(1)};
    test::run(io, [&]() -> asio::awaitable<void> {
        pg::pooled_connection c = co_await pool.acquire();
        co_await run_and_cancel(*c, sleeping(false));
        CHECK(!c->recoverable());
        c.release();
        CHECK(pool.size() == 0);
    });
}

TEST_CASE("a janitor without time drops what comes back dirty")
{
    asio::io_context io{1};
    pg::pool pool{io.get_executor(), test_pool(1).janitor_timeout(0s)};
    test::run(io, [&]() -> asio::awaitable<void> {
        pg::pooled_connection c = co_await pool.acquire();
        co_await run_and_cancel(*c, sleeping(false));
        c.release();
        CHECK(pool.size() == 0);
    });
}

TEST_CASE("a cancelled COPY costs its connection and nobody's time")
{
    asio::io_context io{1};
    pg::pool pool{io.get_executor(), test_pool(1).janitor_timeout(20s)};
    test::run(io, [&]() -> asio::awaitable<void> {
        pg::pooled_connection c = co_await pool.acquire();
        pg::pipeline copy;
        copy.add(pg::statement{"copy (select pg_sleep(600)) to stdout"});
        const auto ended = co_await run_and_cancel(*c, std::move(copy), "wait_event = 'PgSleep'");
        CHECK(ended == asio::error::operation_aborted);
        const auto begun = clock_type::now();
        c.release();
        co_await test::wait_until([&] { return pool.size() == 0; });
        CHECK(clock_type::now() - begun < 10s); // it is not received for as long as there is time
    });
}

TEST_CASE("a janitor that gets no answer drops the connection at its deadline")
{
    test::proxy line{test_dsn()};
    asio::io_context io{1};
    pg::pool_options options{pg::connection_options{line.dsn()}};
    pg::pool pool{io.get_executor(), options.size(1).janitor_timeout(100ms)};
    test::run(io, [&]() -> asio::awaitable<void> {
        pg::pooled_connection c = co_await pool.acquire();
        co_await run_and_cancel(*c, sleeping(false));
        line.freeze();
        c.release();
        CHECK(pool.statistics().cleaning == 1);
        co_await test::wait_until([&] { return pool.size() == 0; });
        CHECK(pool.statistics().cleaning == 0);
        line.thaw();
        co_await pool.execute(own_pid);
    });
}

TEST_CASE("what the janitor has counts against the pool's size, and whoever waits gets it")
{
    asio::io_context io{1};
    pg::pool pool{io.get_executor(), test_pool(1)};
    bool served = false;
    const auto wait = [&]() -> asio::awaitable<void> {
        co_await pool.execute(own_pid);
        served = true;
    };
    test::run(io, [&]() -> asio::awaitable<void> {
        pg::pooled_connection c = co_await pool.acquire();
        co_await run_and_cancel(*c, sleeping(false));
        asio::co_spawn(io, wait(), [](std::exception_ptr e) { CHECK(!e); });
        co_await test::wait_until([&] { return pool.statistics().waiting == 1; });
        c.release();
        CHECK(pool.statistics().size == 1);
        CHECK(pool.statistics().waiting == 1);
        co_await test::wait_until([&] { return served; });
        CHECK(pool.statistics().size == 1);
    });
}

TEST_CASE(
    "what a critical user gave up half way is dropped, so that the next one finds the reserve")
{
    test::proxy line{test_dsn()};
    asio::io_context io{1};
    pg::pool_options options{pg::connection_options{line.dsn()}};
    options.size(2).reserve(1).janitor_timeout(10 * test::deadline);
    pg::pool pool{io.get_executor(), options.acquire_timeout(test::deadline)};
    test::run(io, [&]() -> asio::awaitable<void> {
        pg::pooled_connection held = co_await pool.acquire();
        pg::pooled_connection reserved = co_await pool.acquire(pg::pool_priority::critical);
        const int given_up = reserved->backend_pid();
        co_await run_and_cancel(*reserved, sleeping(true));
        line.silence(); // a janitor would get no answer
        reserved.release();
        CHECK(pool.statistics().cleaning == 0);
        CHECK(pool.size() == 1);
        pg::pooled_connection next = co_await pool.acquire(pg::pool_priority::critical);
        const pg::result r = co_await next->execute(own_pid);
        CHECK(r.get<int>(0, 0) != given_up);
    });
}

TEST_CASE("a cancellation never hits the next user's statement, however it races with the end")
{
    asio::io_context io{1};
    pg::pool pool{io.get_executor(), test_pool(1)};
    const std::string schema = unique_schema();
    const pg::statement sleep_and_count =
        pg::load_statement("select pg_sleep($1), nextval('{schema}.slept')", schema);
    std::int64_t slept = 0; // rounds that no cancellation hit
    std::int64_t hit = 0;
    test::run(io, [&]() -> asio::awaitable<void> {
        pg::connection observer = co_await test::connect();
        co_await observer.execute_script(pg::substitute_schema(
            "create schema {schema}; create sequence {schema}.slept", schema));
        const pg::statement count =
            pg::load_statement("select last_value from {schema}.slept where is_called", schema);
        double about_when_it_is_cancelled = 0.005;
        for (int round = 1; round <= 40 || hit == 0; ++round) {
            const auto sleep = [&](double seconds) -> asio::awaitable<void> {
                co_await pool.execute(sleep_and_count, seconds);
            };
            asio::cancellation_signal cancel;
            bool ended = false;
            auto handler = [&](std::exception_ptr) { ended = true; };
            asio::co_spawn(
                io, sleep(about_when_it_is_cancelled),
                asio::bind_cancellation_slot(cancel.slot(), std::move(handler)));
            co_await test::pause(2ms);
            cancel.emit(asio::cancellation_type::terminal);
            co_await test::wait_until([&] { return ended; });
            for (int j = 0; j < 3; ++j) co_await pool.execute(sleep_for, 0.001);
            const pg::result r = co_await observer.execute(count);
            slept = r.empty() ? 0 : r.get<std::int64_t>(0, 0);
            hit = round - slept;
            // When that is depends on the machine.
            about_when_it_is_cancelled += round < 40 ? 0.001 : about_when_it_is_cancelled;
        }
    });
    CHECK(pool.size() == 1);
    CHECK(slept > 0);
    CHECK(hit > 0);
}

TEST_CASE("closing a pool ends its janitor at once")
{
    test::proxy line{test_dsn()};
    asio::io_context io{1};
    pg::pool_options options{pg::connection_options{line.dsn()}};
    std::optional<pg::pool> pool{
        std::in_place, io.get_executor(), options.size(1).janitor_timeout(10 * test::deadline)};
    test::run(io, [&]() -> asio::awaitable<void> {
        pg::pooled_connection c = co_await pool->acquire();
        co_await run_and_cancel(*c, sleeping(false));
        line.freeze(); // the janitor gets no answer
        c.release();
        co_await test::wait_until([&] { return pool->statistics().cleaning == 1; });
        co_await asio::post(io, asio::use_awaitable); // it begins
    });
    pool.reset();
    io.restart();
    io.run_for(test::deadline);
    CHECK(io.stopped()); // nothing is pending
}

TEST_CASE("an executor that is destroyed while a janitor works takes it along")
{
    std::optional<asio::io_context> io{std::in_place, 1};
    bool cleaning = false;
    const auto user = [&]() -> asio::awaitable<void> {
        pg::pool pool{co_await asio::this_coro::executor, test_pool(1)};
        pg::pooled_connection c = co_await pool.acquire();
        co_await run_and_cancel(*c, sleeping(false));
        c.release();
        cleaning = pool.statistics().cleaning == 1;
        co_await test::pause(10 * test::deadline);
    };
    asio::co_spawn(*io, user(), [](std::exception_ptr) {});
    const auto end = clock_type::now() + test::deadline;
    while (!cleaning && clock_type::now() < end) io->run_one_for(10ms);
    CHECK(cleaning);
    io->run_one(); // the janitor has begun
    io.reset();
}
