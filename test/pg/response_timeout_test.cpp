#include "session.hpp"

#include "../proxy.hpp"

#include <perdure/pg/pool.hpp>

#include <doctest/doctest.h>

using namespace perdure;
using namespace std::chrono_literals;
namespace asio = boost::asio;
using test::contains;

namespace {

const pg::statement sleep_for{"select pg_sleep($1)"};

/// With a limit that a server on a loaded machine does not reach.
pg::connection_options impatient(std::string dsn)
{
    return pg::connection_options{std::move(dsn)}.response_timeout(1s);
}

} // namespace

TEST_CASE("a server that falls silent is given up with an error of its own")
{
    test::proxy line{test_dsn()};
    test::run([&]() -> asio::awaitable<void> {
        pg::connection c = co_await pg::connection::connect(impatient(line.dsn()));
        co_await c.execute(sleep_for, 0.0);
        line.freeze();
        const pg::error e = co_await test::failure_of(c.execute(sleep_for, 0.0));
        CHECK(e.code() == pg::errc::response_timed_out);
        CHECK(
            std::string{e.what()} ==
            "the server was silent for 1000 ms while an answer was due; the "
            "connection was dropped");
        CHECK(!c.usable());
        CHECK(!c.recoverable());
    });
}

TEST_CASE("a commit that the server is silent about is unknown")
{
    test::proxy line{test_dsn()};
    test::run([&]() -> asio::awaitable<void> {
        pg::connection c = co_await pg::connection::connect(impatient(line.dsn()));
        line.freeze();
        pg::pipeline p;
        p.begin();
        p.commit();
        const pg::error e = co_await test::failure_of(c.run(std::move(p)));
        CHECK(e.code() == pg::errc::commit_unknown);
        CHECK(contains(e.what(), "the server was silent for 1000 ms"));
        CHECK(!c.usable());
    });
}

TEST_CASE("a script that the server is silent about is given up, too")
{
    test::proxy line{test_dsn()};
    test::run([&]() -> asio::awaitable<void> {
        pg::connection c = co_await pg::connection::connect(impatient(line.dsn()));
        line.freeze();
        const pg::error e = co_await test::failure_of(c.execute_script("select 1"));
        CHECK(e.code() == pg::errc::response_timed_out);
        CHECK(!c.usable());
    });
}

TEST_CASE("a server that goes on answering is not silent, however long it takes")
{
    test::run([]() -> asio::awaitable<void> {
        pg::connection c = co_await pg::connection::connect(impatient(test_dsn()));
        co_await c.execute_script("do $$ begin for i in 1 .. 20 loop\n"
                                  "perform pg_sleep(0.1); raise notice 'still here';\n"
                                  "end loop; end $$");
        CHECK(c.usable());
    });
}

TEST_CASE("a pooled connection that fell silent is replaced, and the limit of one user is not that "
          "of the next")
{
    test::proxy line{test_dsn()};
    asio::io_context io{1};
    pg::pool pool{io.get_executor(), pg::pool_options{pg::connection_options{line.dsn()}}.size(1)};
    test::run(io, [&]() -> asio::awaitable<void> {
        {
            pg::pooled_connection c = co_await pool.acquire();
            CHECK(c->response_timeout() == 60s);
            c->response_timeout(50ms);
        }
        {
            pg::pooled_connection c = co_await pool.acquire();
            CHECK(c->response_timeout() == 60s);
            c->response_timeout(50ms);
            line.freeze();
            const pg::error e = co_await test::failure_of(c->execute(sleep_for, 0.0));
            CHECK(e.code() == pg::errc::response_timed_out);
        }
        CHECK(pool.size() == 0);
        line.thaw();
        co_await pool.execute(sleep_for, 0.0);
    });
}

TEST_CASE("the limit is above the statement's own")
{
    CHECK(pg::connection_options{}.response_timeout() == 60s);
    CHECK(pg::connection_options{}.statement_timeout(10s).response_timeout() == 60s);
    CHECK(pg::connection_options{}.statement_timeout(5min).response_timeout() == 310s);
    CHECK(
        pg::connection_options{}.statement_timeout(5min).response_timeout(1s).response_timeout() ==
        1s);
}
