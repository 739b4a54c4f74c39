#include "session.hpp"

#include "../proxy.hpp"

#include <perdure/pg/identifier.hpp>
#include <perdure/pg/pool.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/error.hpp>

#include <doctest/doctest.h>

#include <algorithm>

// A sanitizer has an allocator of its own, of which the C library knows nothing.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define PERDURE_SANITIZER 1
#elif defined(__has_feature)
#define PERDURE_SANITIZER (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#endif
#if PERDURE_SANITIZER
#include <sanitizer/allocator_interface.h>
#else
#include <malloc.h>
#endif

using namespace perdure;
using namespace std::chrono_literals;
namespace asio = boost::asio;
using test::contains;

namespace {

const pg::statement series{"select n, repeat('x', $2) from generate_series(1, $1) n"};

/// Rows without end; the server makes each when it is read.
const pg::statement endless{"select generate_series(1, 1000000000)"};

/// Bytes that are allocated.
std::size_t allocated()
{
#if PERDURE_SANITIZER
    return __sanitizer_get_current_allocated_bytes();
#else
    return mallinfo2().uordblks;
#endif
}

pg::pool_options test_pool(std::size_t size)
{
    return pg::pool_options{test::test_connection()}.size(size);
}

/// Reads a stream of `series` to its end and returns the sum of the first column.
asio::awaitable<std::int64_t> sum(pg::row_stream& rows)
{
    std::int64_t total = 0;
    for (;;) {
        const pg::result some = co_await rows.next();
        if (some.empty()) break;
        for (auto [n, text] : some.rows<std::int32_t, std::string>()) total += n;
    }
    co_return total;
}

} // namespace

TEST_CASE("a million rows stream through little memory")
{
    test::run([]() -> asio::awaitable<void> {
        pg::connection c = co_await test::connect();
        const std::size_t before = allocated();
        std::size_t most = 0;
        std::int64_t total = 0, count = 0;
        pg::row_stream rows = co_await c.stream(series, 1'000'000, 200); // some 200 MB
        for (;;) {
            const pg::result some = co_await rows.next();
            if (some.empty()) break;
            CHECK(some.size() <= 1000);
            total += some.get<std::int32_t>(some.size() - 1, 0);
            count += static_cast<std::int64_t>(some.size());
            most = std::max(most, allocated());
        }
        CHECK(count == 1'000'000);
        CHECK(total > 0);
        CHECK(rows.done());
        CHECK(c.clean());
        CHECK(most < before + 2 * 1024 * 1024);
    });
}

TEST_CASE("streamed rows are those of the result, types, nulls and empty texts included")
{
    test::run([]() -> asio::awaitable<void> {
        pg::connection c = co_await test::connect();
        const pg::statement mixed{
            "select n, case when n % 2 = 0 then 'even' end, '' from generate_series(1, $1) n"};
        pg::row_stream rows = co_await c.stream(mixed, 2500);
        std::int32_t next = 1;
        for (;;) {
            const pg::result some = co_await rows.next();
            if (some.empty()) break;
            CHECK(some.columns() == 3);
            for (auto [n, text, empty] :
                 some.rows<std::int32_t, std::optional<std::string>, std::string>()) {
                CHECK(n == next++);
                CHECK(text.has_value() == (n % 2 == 0));
                CHECK(empty.empty());
            }
        }
        CHECK(next == 2501);
        const pg::result after = co_await rows.next(); // still at its end
        CHECK(after.empty());
    });
}

TEST_CASE("a stream of no rows ends at once, and one of a command, too")
{
    test::run([]() -> asio::awaitable<void> {
        pg::connection c = co_await test::connect();
        pg::row_stream none = co_await c.stream(series, 0, 1);
        const pg::result nothing = co_await none.next();
        CHECK(nothing.empty());
        CHECK(none.done());
        pg::row_stream command = co_await c.stream(pg::statement{"create temp table t ()"});
        const pg::result no_rows = co_await command.next();
        CHECK(no_rows.empty());
        CHECK(c.clean());
    });
}

TEST_CASE("a statement that fails at once fails when it is sent, and later where it fails")
{
    test::run([]() -> asio::awaitable<void> {
        pg::connection c = co_await test::connect();
        const pg::error e = co_await test::failure_of(c.stream(pg::statement{"select nonsense"}));
        CHECK(e.sqlstate() == "42703");
        CHECK(c.clean());

        const pg::statement fails{"select 1 / (1500 - n) from generate_series(1, 2000) n"};
        pg::row_stream rows = co_await c.stream(fails);
        std::size_t seen = 0;
        std::optional<pg::error> failure;
        for (;;) {
            pg::result some;
            try {
                some = co_await rows.next();
            } catch (const pg::error& late) {
                failure = late;
            }
            if (some.empty()) break;
            seen += some.size();
        }
        REQUIRE(failure);
        CHECK(failure->code() == pg::errc::server_error);
        CHECK(failure->sqlstate() == "22012");
        CHECK(seen == 1499);
        CHECK(rows.done());
        CHECK(c.clean());
        co_await c.execute(series, 1, 1);
    });
}

TEST_CASE("while rows are left a connection does nothing else, and nothing is pending")
{
    asio::io_context io{1};
    std::optional<pg::connection> c;
    std::optional<pg::row_stream> rows;
    test::run(io, [&]() -> asio::awaitable<void> {
        c = co_await test::connect();
        rows = co_await c->stream(series, 100'000, 100);
        bool refused = false;
        try {
            co_await c->execute(series, 1, 1);
        } catch (const std::logic_error&) {
            refused = true;
        }
        CHECK(refused);
        CHECK(!c->clean());
    });
    io.restart();
    io.run(); // returns: what nobody asks for stays in the network
    test::run(io, [&]() -> asio::awaitable<void> {
        const std::int64_t total = co_await sum(*rows);
        CHECK(total == 100'000ll * 100'001 / 2);
        co_await c->execute(series, 1, 1);
    });
}

TEST_CASE("a pool's stream gives its connection back at its end")
{
    asio::io_context io{1};
    pg::pool pool{io.get_executor(), test_pool(1)};
    test::run(io, [&]() -> asio::awaitable<void> {
        pg::row_stream rows = co_await pool.stream(series, 5000, 10);
        CHECK(pool.idle() == 0);
        const std::int64_t total = co_await sum(rows);
        CHECK(total == 5000ll * 5001 / 2);
        CHECK(pool.idle() == 1);
        const pg::error e = co_await test::failure_of(pool.stream(pg::statement{"select 1/0"}));
        CHECK(e.sqlstate() == "22012");
        CHECK(pool.idle() == 1);
    });
}

TEST_CASE("a stream that is left half way is cancelled on the server and its connection lent again")
{
    asio::io_context io{1};
    pg::pool pool{io.get_executor(), test_pool(1)};
    test::run(io, [&]() -> asio::awaitable<void> {
        int pid = 0;
        {
            pg::pooled_connection c = co_await pool.acquire();
            pid = c->backend_pid();
        }
        {
            pg::row_stream rows = co_await pool.stream(endless);
            const pg::result some = co_await rows.next();
            CHECK(!some.empty());
        }
        CHECK(pool.statistics().cleaning == 1);
        pg::pooled_connection next = co_await pool.acquire();
        CHECK(next->backend_pid() == pid);
        CHECK(next->clean());
    });
}

TEST_CASE("a wait for rows that is cancelled gives the stream up")
{
    asio::io_context io{1};
    pg::pool pool{io.get_executor(), test_pool(1)};
    test::run(io, [&]() -> asio::awaitable<void> {
        // The first row comes, then nothing.
        const pg::statement stuck{"select repeat('x', 100000) from generate_series(1, 2) union all "
                                  "select pg_sleep(600)::text"};
        pg::row_stream rows = co_await pool.stream(stuck);
        asio::cancellation_signal cancel;
        std::optional<boost::system::error_code> ended;
        const auto read = [&]() -> asio::awaitable<void> {
            for (;;) {
                const pg::result some = co_await rows.next();
                if (some.empty()) break;
            }
        };
        asio::co_spawn(
            io, read(), asio::bind_cancellation_slot(cancel.slot(), [&](std::exception_ptr e) {
                try {
                    if (e) std::rethrow_exception(e);
                } catch (const boost::system::system_error& failure) {
                    ended = failure.code();
                }
            }));
        asio::steady_timer timer{io, 20ms};
        co_await timer.async_wait(asio::use_awaitable);
        cancel.emit(asio::cancellation_type::terminal);
        co_await test::wait_until([&] { return ended.has_value(); });
        CHECK(*ended == asio::error::operation_aborted);
        CHECK(rows.done());
        co_await pool.execute(series, 1, 1);
        CHECK(pool.size() == 1);
    });
}

TEST_CASE("rows are streamed within a transaction, which goes on after the last")
{
    asio::io_context io{1};
    pg::pool pool{io.get_executor(), test_pool(1)};
    test::run(io, [&]() -> asio::awaitable<void> {
        pg::transaction tx = co_await pool.begin();
        pg::row_stream rows = co_await tx.stream(series, 3000, 10);
        const std::int64_t total = co_await sum(rows);
        CHECK(total == 3000ll * 3001 / 2);
        CHECK(tx.open());
        co_await tx.execute(series, 1, 1);
        co_await tx.commit();
        CHECK(pool.idle() == 1);
    });
}

TEST_CASE("a transaction whose stream is left half way is rolled back with it")
{
    asio::io_context io{1};
    pg::pool pool{io.get_executor(), test_pool(1)};
    test::run(io, [&]() -> asio::awaitable<void> {
        pg::transaction tx = co_await pool.begin();
        {
            pg::row_stream rows = co_await tx.stream(endless);
            co_await rows.next();
        }
        CHECK(!tx.open());
        const pg::error e = co_await test::failure_of(tx.commit());
        CHECK(e.code() == pg::errc::closed);
    });
}

TEST_CASE("a stream whose prepared statement became stale is prepared anew unnoticed")
{
    test::run([]() -> asio::awaitable<void> {
        pg::connection c = co_await test::connect();
        for (int i = 0; i < 2; ++i) {
            pg::row_stream rows = co_await c.stream(series, 10, 1);
            const std::int64_t total = co_await sum(rows);
            CHECK(total == 55);
            co_await c.execute_script("deallocate all");
        }
    });
}

TEST_CASE("a stream whose connection was closed or given back is at its end, and says so")
{
    asio::io_context io{1};
    pg::pool pool{io.get_executor(), test_pool(1)};
    test::run(io, [&]() -> asio::awaitable<void> {
        for (const bool begun : {false, true}) {
            for (const bool released : {false, true}) {
                pg::pooled_connection c = co_await pool.acquire();
                pg::row_stream rows = co_await c->stream(endless);
                if (begun) co_await rows.next();
                if (released)
                    c.release();
                else
                    c->close();
                CHECK(!rows.done());
                const pg::error e = co_await test::failure_of(rows.next());
                CHECK(e.code() == pg::errc::closed);
                CHECK(rows.done());
                const pg::result after = co_await rows.next();
                CHECK(after.empty());
            }
        }
        CHECK(pool.size() == 0);
    });
}

TEST_CASE("a stream ends with the connection, in the server's words, and with silence")
{
    test::proxy line{test_dsn()};
    test::run([&]() -> asio::awaitable<void> {
        pg::connection killed = co_await test::connect();
        const pg::statement suicide{"select repeat('x', 100000) union all select "
                                    "pg_terminate_backend(pg_backend_pid())::text"};
        pg::row_stream rows = co_await killed.stream(suicide);
        std::optional<pg::error> failure;
        try {
            for (;;) {
                const pg::result some = co_await rows.next();
                if (some.empty()) break;
            }
        } catch (const pg::error& e) {
            failure = e;
        }
        REQUIRE(failure);
        CHECK(failure->code() == pg::errc::connection_lost);
        CHECK(failure->sqlstate() == "57P01");
        CHECK(!killed.usable());
        CHECK(!killed.recoverable());

        pg::connection_options options{line.dsn()};
        options.response_timeout(50ms);
        pg::connection silent = co_await pg::connection::connect(options);
        line.freeze();
        const pg::error e = co_await test::failure_of(silent.stream(series, 1, 1));
        CHECK(e.code() == pg::errc::response_timed_out);
        CHECK(!silent.usable());
        CHECK(!silent.recoverable());
    });
}
