// Bringing back what was given up half way, interrupted at every point.
#include "interruption.hpp"

#include <doctest/doctest.h>

using namespace perdure;
namespace asio = boost::asio;
using namespace test;

namespace {

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

    // That what the pool's janitor has is not lent before it is clean, `pool.run` shows elsewhere.
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
