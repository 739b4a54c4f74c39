// What is interrupted everywhere, and what must hold afterwards: whoever uses the connection or the
// pool next must get what was asked for.
#pragma once

#include "await_points.hpp"

#include <functional>
#include <string>
#include <utility>

namespace perdure::test {

inline const pg::statement one{"select one"};
inline const pg::statement two{"select two"};
inline const pg::statement many{"many"};
inline const pg::statement fails{"fail"};

// --- what stands there when an operation begins ---

inline boost::asio::awaitable<void> make_connection(world& w)
{
    w.connection.emplace(co_await pg::connection::connect(w.options()));
}

inline void with_connection(world& w)
{
    w.run(make_connection(w));
}

inline void with_pool(world& w)
{
    w.pool.emplace(w.io.get_executor(), pg::pool_options{w.options()}.size(1));
}

inline boost::asio::awaitable<void> use_pool(world& w)
{
    co_await w.pool->execute(one);
}

inline void with_warm_pool(world& w)
{
    with_pool(w);
    w.run(use_pool(w));
}

inline boost::asio::awaitable<void> lend(world& w)
{
    w.lent.emplace(co_await w.pool->acquire());
}

inline void with_empty_pool(world& w)
{
    with_pool(w);
    w.run(lend(w));
}

// --- what must hold afterwards ---

inline void check_answer(const pg::result& answer, const pg::statement& asked)
{
    REQUIRE(answer.size() == 1);
    CHECK(answer.get<std::string>(0, 0) == asked.sql());
}

inline boost::asio::awaitable<void> use_connection_next(world& w)
{
    const pg::statement next{"next user of the connection"};
    const pg::result answer = co_await w.connection->execute(next);
    check_answer(answer, next);
}

inline boost::asio::awaitable<void> recover(world& w)
{
    co_await w.connection->recover();
    CHECK(w.connection->clean() == w.connection->usable());
}

inline void check_connection(world& w, interruption how, bool succeeded)
{
    if (succeeded && how == interruption::cancelled) CHECK(w.connection->clean());
    CHECK(w.connection->usable() == w.connection->check_idle());
    if (w.connection->usable()) w.run(use_connection_next(w));
    CHECK(w.server.met_transaction() == 0);
}

inline boost::asio::awaitable<void> use_pool_next(world& w)
{
    const pg::statement next{"next user of the pool"};
    for (int i = 0; i < 2; ++i) {
        const pg::result answer = co_await w.pool->execute(next);
        check_answer(answer, next);
    }
}

inline void check_pool(world& w, interruption how, bool)
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

inline void check_pool_and_commit(world& w, interruption how, bool succeeded)
{
    CHECK((!succeeded || w.server.commits() == 1));
    check_pool(w, how, succeeded);
}

inline void close_connection(world& w)
{
    w.connection->close();
}

inline void close_pool(world& w)
{
    w.pool->close();
}

inline interrupted_operation on_connection(
    std::function<boost::asio::awaitable<void>(world&)> operation)
{
    return {with_connection, std::move(operation), close_connection, check_connection};
}

inline pg::pipeline transaction()
{
    pg::pipeline p;
    p.begin();
    p.add(one);
    p.add(two);
    p.commit();
    p.add(two);
    return p;
}

} // namespace perdure::test
