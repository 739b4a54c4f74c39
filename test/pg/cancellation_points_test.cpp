// Every operation of this layer, interrupted at every point where it waits: it must end at once,
// leak nothing, and whoever uses the connection or the pool next must get what was asked for.
#include "await_points.hpp"

#include <perdure/pg/migrator.hpp>

#include <pg/blocking.hpp>

#include <doctest/doctest.h>

using namespace perdure;
using namespace std::chrono_literals;
namespace asio = boost::asio;
using test::interrupt_everywhere;
using test::interrupted_operation;
using test::interruption;
using test::world;

namespace {

const pg::statement one{"select one"};
const pg::statement two{"select two"};
const pg::statement many{"many"};
const pg::statement fails{"fail"};

// --- what stands there when an operation begins ---

asio::awaitable<void> make_connection(world& w)
{
    w.connection.emplace(co_await pg::connection::connect(w.options()));
}

void with_connection(world& w)
{
    w.run(make_connection(w));
}

void with_pool(world& w)
{
    w.pool.emplace(w.io.get_executor(), pg::pool_options{w.options()}.size(1));
}

asio::awaitable<void> use_pool(world& w)
{
    co_await w.pool->execute(one);
}

void with_warm_pool(world& w)
{
    with_pool(w);
    w.run(use_pool(w));
}

asio::awaitable<void> lend(world& w)
{
    w.lent.emplace(co_await w.pool->acquire());
}

void with_empty_pool(world& w)
{
    with_pool(w);
    w.run(lend(w));
}

// --- what must hold afterwards ---

void check_answer(const pg::result& answer, const pg::statement& asked)
{
    REQUIRE(answer.size() == 1);
    CHECK(answer.get<std::string>(0, 0) == asked.sql());
}

asio::awaitable<void> use_connection_next(world& w)
{
    const pg::statement next{"next user of the connection"};
    const pg::result answer = co_await w.connection->execute(next);
    check_answer(answer, next);
}

asio::awaitable<void> recover(world& w)
{
    co_await w.connection->recover();
    CHECK(w.connection->clean() == w.connection->usable());
}

void check_connection(world& w, interruption how, bool succeeded)
{
    if (succeeded && how == interruption::cancelled) CHECK(w.connection->clean());
    CHECK(w.connection->usable() == w.connection->check_idle());
    if (w.connection->usable()) w.run(use_connection_next(w));
    CHECK(w.server.met_transaction() == 0);
}

asio::awaitable<void> use_pool_next(world& w)
{
    const pg::statement next{"next user of the pool"};
    for (int i = 0; i < 2; ++i) {
        const pg::result answer = co_await w.pool->execute(next);
        check_answer(answer, next);
    }
}

void check_pool(world& w, interruption how, bool)
{
    w.lent.reset();
    if (how == interruption::cancelled) {
        w.run(use_pool_next(w));
        CHECK(w.pool->size() == 1);
        CHECK(w.pool->idle() == 1);
    } else {
        w.drive([&] { return w.pool->size() == 0; }, [&] { return w.step(); });
    }
    CHECK(w.server.met_transaction() == 0);
}

void check_pool_and_commit(world& w, interruption how, bool succeeded)
{
    CHECK((!succeeded || w.server.commits() == 1));
    check_pool(w, how, succeeded);
}

void close_connection(world& w)
{
    w.connection->close();
}

void close_pool(world& w)
{
    w.pool->close();
}

interrupted_operation on_connection(std::function<asio::awaitable<void>(world&)> operation)
{
    return {with_connection, std::move(operation), close_connection, check_connection};
}

pg::pipeline transaction()
{
    pg::pipeline p;
    p.begin();
    p.add(one);
    p.add(two);
    p.commit();
    p.add(two);
    return p;
}

/// Begins a statement on the connection and gives it up, unanswered, once `then` holds.
void give_up(world& w, pg::statement s, const std::function<bool()>& then)
{
    w.server.send_at_most(1);
    asio::cancellation_signal cancel;
    bool done = false;
    asio::co_spawn(
        w.io, w.connection->execute(s),
        asio::bind_cancellation_slot(
            cancel.slot(), [&done](std::exception_ptr, pg::result) { done = true; }));
    w.drive(then, [&] { return w.step(); });
    cancel.emit(asio::cancellation_type::terminal);
    w.drive([&] { return done; }, [&] { return w.step_client(); });
    REQUIRE(w.connection->recoverable());
}

void with_waiting_statement(world& w)
{
    with_connection(w);
    give_up(w, pg::statement{"wait"}, [&w] { return w.server.waiting() == 1; });
}

} // namespace

TEST_CASE("connecting may be interrupted anywhere")
{
    interrupt_everywhere("connect", {{}, make_connection, {}, {}, 1});
}

TEST_CASE("a statement may be interrupted anywhere")
{
    interrupt_everywhere("execute", on_connection([](world& w) -> asio::awaitable<void> {
                             const pg::result answer = co_await w.connection->execute(one);
                             check_answer(answer, one);
                         }));
}

TEST_CASE("a pipeline may be interrupted anywhere")
{
    interrupt_everywhere("run", on_connection([](world& w) -> asio::awaitable<void> {
                             pg::pipeline p;
                             p.add(one);
                             p.add(two);
                             p.add(one);
                             const pg::pipeline_result r = co_await w.connection->run(std::move(p));
                             for (std::size_t i = 0; i < 3; ++i)
                                 check_answer(r[i], i == 1 ? two : one);
                         }));
}

TEST_CASE("a transaction may be interrupted anywhere, and a confirmed commit stays confirmed")
{
    interrupted_operation o = on_connection([](world& w) -> asio::awaitable<void> {
        const pg::pipeline_result r = co_await w.connection->run(transaction());
        CHECK(r.committed());
    });
    o.check = [](world& w, interruption how, bool succeeded) {
        CHECK((!succeeded || w.server.commits() == 1));
        // A commit that was confirmed before the interruption is a success, the connection's end
        // notwithstanding.
        check_connection(w, how, succeeded && w.connection->usable());
    };
    interrupt_everywhere("run with commit", o);
}

TEST_CASE("a transaction that fails may be interrupted anywhere, its rollback included")
{
    interrupt_everywhere("run with rollback", on_connection([](world& w) -> asio::awaitable<void> {
                             pg::pipeline p;
                             p.begin();
                             p.add(fails);
                             p.commit();
                             bool failed = false;
                             try {
                                 co_await w.connection->run(std::move(p));
                             } catch (const pg::error& e) {
                                 if (e.code() != pg::errc::server_error) throw;
                                 failed = true;
                             }
                             CHECK(failed);
                         }));
}

TEST_CASE("a script may be interrupted anywhere")
{
    interrupt_everywhere("execute_script", on_connection([](world& w) -> asio::awaitable<void> {
                             co_await w.connection->execute_script(
                                 "begin;select one;commit;select two");
                         }));
}

TEST_CASE("a script that fails may be interrupted anywhere, its rollback included")
{
    interrupt_everywhere(
        "execute_script with rollback", on_connection([](world& w) -> asio::awaitable<void> {
            bool failed = false;
            try {
                co_await w.connection->execute_script("begin;select one;fail;commit");
            } catch (const pg::error& e) {
                if (e.code() != pg::errc::server_error) throw;
                failed = true;
            }
            CHECK(failed);
        }));
}

TEST_CASE("a wait for notifications may be cancelled anywhere, and loses none")
{
    interrupted_operation o;
    o.prepare = [](world& w) {
        with_connection(w);
        w.run(w.connection->execute_script("listen \"c\""));
        w.server.notify("c", "first");
        w.server.notify("c", "second");
    };
    o.operation = [](world& w) -> asio::awaitable<void> {
        while (w.count < 2) {
            const auto end = std::chrono::steady_clock::now() + 1h;
            const auto arrived = co_await w.connection->wait_notifications(end);
            w.count += static_cast<int>(arrived.size());
        }
    };
    interrupted_operation closed = o;
    o.check = [](world& w, interruption how, bool) {
        CHECK(w.connection->clean());
        const auto rest = [](world& all) -> asio::awaitable<void> {
            while (all.count < 2) {
                const auto end = std::chrono::steady_clock::now() + 5s;
                const auto arrived = co_await all.connection->wait_notifications(end);
                REQUIRE(!arrived.empty());
                all.count += static_cast<int>(arrived.size());
            }
        };
        w.run(rest(w));
        CHECK(w.count == 2);
        check_connection(w, how, true);
    };
    interrupt_everywhere("wait_notifications", o);
    closed.close = close_connection;
    interrupt_everywhere("wait_notifications, closed", closed);
}

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

TEST_CASE("the janitor's work may be interrupted anywhere")
{
    interrupted_operation o = on_connection([](world& w) -> asio::awaitable<void> {
        const bool clean = co_await w.connection->recover();
        CHECK((clean || !w.connection->usable()));
    });
    o.prepare = [](world& w) {
        with_connection(w);
        int steps = 0;
        give_up(w, one, [&steps] { return ++steps > 20; });
    };
    interrupt_everywhere("connection.recover", o);

    // What runs on has to be cancelled over a connection of its own.
    o.prepare = with_waiting_statement;
    o.takes_time = true;
    interrupt_everywhere("connection.recover with a cancellation", o);
    o.takes_time = false;

    // That what the pool's janitor has is not lent before it is clean, `pool.run` shows above.
    o.prepare = [](world& w) {
        with_empty_pool(w);
        w.run((*w.lent)->execute_script("begin"));
        w.lent.reset();
    };
    o.operation = [](world& w) -> asio::awaitable<void> {
        pg::pooled_connection c = co_await w.pool->acquire();
        CHECK(c->clean());
    };
    o.close = close_pool;
    o.check = check_pool;
    interrupt_everywhere("waiting for the pool's janitor", o);
}

TEST_CASE("a connection that is closed while the server is asked to cancel stays closed")
{
    world w;
    with_waiting_statement(w);
    std::optional<bool> clean;
    asio::co_spawn(w.io, w.connection->recover(), [&](std::exception_ptr e, bool c) {
        CHECK(!e);
        clean = c;
    });
    w.drive([&] { return w.server.sessions() == 2; }, [&] { return w.step(); });
    w.connection->close();
    w.server.send_at_most(1 << 20);
    w.drive([&] { return clean.has_value(); }, [&] { return w.step(); });
    CHECK(!*clean);
    CHECK(!w.connection->usable());
}

TEST_CASE("a listener may be interrupted anywhere")
{
    interrupted_operation o;
    o.prepare = [](world& w) {
        pg::listener_options options{w.options()};
        options.channels({"c"});
        w.listener.emplace(w.io.get_executor(), options);
        w.listener->on_gap([&w] { w.server.notify("c", "after the gap"); });
        w.listener->on_notification([&w](const pg::notification&) {
            ++w.count;
            w.listener->stop();
        });
        w.listener->on_down([](const pg::error& e) { FAIL_CHECK(std::string{e.what()}); });
    };
    o.operation = [](world& w) { return w.listener->run(); };
    o.close = [](world& w) { w.listener->stop(); };
    o.check = [](world& w, interruption how, bool succeeded) {
        CHECK(!w.listener->up());
        if (how == interruption::cancelled) CHECK(w.count == (succeeded ? 1 : 0));
    };
    interrupt_everywhere("listener.run", o);
}

TEST_CASE("a call that blocks may be given up anywhere")
{
    interrupted_operation o;
    o.operation = [](world& w) -> asio::awaitable<void> {
        std::function<void()> work = [&w] { ++w.count; };
        const auto end = std::chrono::steady_clock::now() + 1h;
        const bool done = co_await pg::run_blocking(w.blocking.get_executor(), work, end);
        CHECK(done);
    };
    interrupt_everywhere("run_blocking", o);
}

TEST_CASE("a migrator may be interrupted anywhere")
{
    static constexpr pg::migration_file files[] = {
        {"0001_first.up.sql", "create table {schema}.first ()"},
        {"0001_first.down.sql", "drop table {schema}.first"},
        {"0002_second.up.sql", "create table {schema}.second ()"},
        {"0002_second.down.sql", "drop table {schema}.second"},
    };
    static const pg::migrator migrations{files, "s", "1.0"};
    interrupted_operation o = on_connection([](world& w) -> asio::awaitable<void> {
        const auto applied = co_await migrations.up(*w.connection);
        CHECK(applied.size() == 2);
    });
    o.prepare = [](world& w) {
        w.server.answer("advisory", {{16, std::string(1, '\1')}});
        w.server.answer("to_regclass", {{16, std::string(1, '\0')}});
        w.server.answer("pg_namespace", {{16, std::string(1, '\0')}});
        w.server.answer("returning applied_at", {{1184, std::string(8, '\0')}});
        with_connection(w);
    };
    o.bytes_a_step = 40;
    interrupt_everywhere("migrator.up", o);

    o.operation = [](world& w) -> asio::awaitable<void> {
        const auto taken_back = co_await migrations.down(*w.connection, 0);
        CHECK(taken_back.size() == 1);
    };
    o.prepare = [](world& w) {
        w.server.answer("advisory", {{16, std::string(1, '\1')}});
        w.server.answer("to_regclass", {{16, std::string(1, '\1')}});
        w.server.answer(
            "select version",
            {{23, std::string{"\0\0\0\1", 4}},
             {25, "first"},
             {25, "9f64f7c11435fb398f1c9c5c91025f5e4012085fe63321b2f8ea131991f97785"},
             {25, "1.0.0"},
             {1184, std::string(8, '\0')}});
        with_connection(w);
    };
    interrupt_everywhere("migrator.down", o);
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
