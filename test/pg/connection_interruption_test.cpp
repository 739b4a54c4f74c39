// A connection's operations, interrupted at every point where they wait: they must end at once and
// leak nothing.
#include "interruption.hpp"

#include <doctest/doctest.h>

using namespace perdure;
using namespace std::chrono_literals;
namespace asio = boost::asio;
using namespace test;

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
