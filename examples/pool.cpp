// Four clerks move money between five accounts, on one thread, over a pool of four connections.
// They get in each other's way, and no cent is lost.
//
//     pool [connection string]     the string may also stand in PERDURE_DSN or PG… variables
#include <perdure/pg/pool.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>

#include <csignal>
#include <cstdlib>
#include <exception>
#include <functional>
#include <iostream>

namespace asio = boost::asio;
namespace pg = perdure::pg;
using namespace asio::experimental::awaitable_operators;

const pg::statement add{"update accounts_of_example set cents = cents + $2 where id = $1"};
const pg::statement read_all{"select id, cents from accounts_of_example order by id"};

asio::awaitable<void> transfer(int cents, pg::transaction& tx)
{
    co_await tx.execute(add, cents % 5 + 1, -cents);
    co_await tx.execute(add, cents * 3 % 5 + 1, cents);
}

asio::awaitable<void> clerk(pg::pool& pool, int first)
{
    for (int cents = first; cents < first + 100; ++cents) {
        const auto work = std::bind_front(transfer, cents);
        // Two that meet head on are a deadlock: the server ends one, and that one begins again.
        co_await pool.transaction(work, pg::transaction_options{}.attempts(10));
    }
}

asio::awaitable<void> report(pg::pool& pool)
{
    int total = 0;
    pg::row_stream rows = co_await pool.stream(read_all); // some at a time, were there millions
    for (;;) {
        const pg::result some = co_await rows.next();
        if (some.empty()) break;
        for (auto [id, cents] : some.rows<int, int>()) {
            std::cout << "account " << id << ": " << cents << " cents\n";
            total += cents;
        }
    }
    std::cout << "together " << total << " cents, over " << pool.size() << " connections\n";
}

asio::awaitable<void> run(pg::pool& pool)
{
    {
        pg::pooled_connection c = co_await pool.acquire();
        co_await c->execute_script(
            "create table if not exists accounts_of_example (id int primary key, cents int);"
            "truncate accounts_of_example;"
            "insert into accounts_of_example select n, 1000 from generate_series(1, 5) n");
    }
    co_await (clerk(pool, 1) && clerk(pool, 2) && clerk(pool, 4) && clerk(pool, 8));
    co_await report(pool);
    co_await pool.execute(pg::statement{"drop table accounts_of_example"});
}

int main(int argc, char** argv)
try {
    const char* environment = std::getenv("PERDURE_DSN");
    const pg::connection_options server{argc > 1 ? argv[1] : environment ? environment : ""};
    asio::io_context io{1};
    pg::pool pool{io.get_executor(), pg::pool_options{server}.size(4)};
    asio::signal_set interrupted{io, SIGINT, SIGTERM};
    bool stopped = false;
    asio::cancellation_signal stop; // what is under way then is cancelled and rolled back
    interrupted.async_wait([&](auto failed, int) {
        stopped = !failed;
        if (stopped) stop.emit(asio::cancellation_type::terminal);
    });
    const auto ended = [&](std::exception_ptr failure) {
        interrupted.cancel();
        pool.close();
        if (stopped) std::cout << "stopped\n";
        if (failure && !stopped) std::rethrow_exception(failure);
    };
    asio::co_spawn(io, run(pool), asio::bind_cancellation_slot(stop.slot(), ended));
    io.run();
} catch (const std::exception& e) {
    std::cerr << "pool: " << e.what() << '\n';
    return 1;
}
