#include "session.hpp"

#include "../proxy.hpp"

#include <perdure/pg/identifier.hpp>
#include <perdure/pg/pool.hpp>

#include <doctest/doctest.h>

#include <stdexcept>

using namespace perdure;
using namespace std::chrono_literals;
namespace asio = boost::asio;

namespace {

/// A pool and a table `account(id, cents)` with the rows (1, 100) and (2, 100).
class bank
{
public:
    explicit bank(std::size_t connections, std::string dsn = test_dsn())
        : pool_{
              io_.get_executor(),
              pg::pool_options{pg::connection_options{std::move(dsn)}}.size(connections)}
    {
        run([this]() -> asio::awaitable<void> {
            pg::connection c = co_await test::connect();
            co_await c.execute_script(pg::substitute_schema(
                "create schema {schema};"
                "create table {schema}.account (id int primary key, cents int not null check "
                "(cents >= 0));"
                "insert into {schema}.account values (1, 100), (2, 100)",
                schema_));
        });
    }

    template <class F>
    void run(F f)
    {
        test::run(io_, std::move(f));
    }

    pg::pool& pool() { return pool_; }
    asio::io_context& io() { return io_; }

    const pg::statement& add() const { return add_; }

    asio::awaitable<int> cents(int id)
    {
        pg::connection c = co_await test::connect();
        const pg::result r = co_await c.execute(read_, id);
        co_return r.get<int>(0, 0);
    }

    const pg::statement& read() const { return read_; }

private:
    asio::io_context io_{1};
    std::string schema_ = unique_schema();
    pg::statement add_ =
        pg::load_statement("update {schema}.account set cents = cents + $2 where id = $1", schema_);
    pg::statement read_ =
        pg::load_statement("select cents from {schema}.account where id = $1", schema_);
    pg::pool pool_;
};

const pg::statement settings{
    "select current_setting('transaction_isolation'), current_setting('transaction_read_only'), "
    "current_setting('statement_timeout'), current_setting('lock_timeout')"};

} // namespace

TEST_CASE("a transaction of several round trips happens together")
{
    bank b{1};
    b.run([&]() -> asio::awaitable<void> {
        pg::transaction tx = co_await b.pool().begin();
        CHECK(tx.open());
        co_await tx.execute(b.add(), 1, -30);
        co_await tx.execute(b.add(), 2, 30);
        const int outside = co_await b.cents(1);
        CHECK(outside == 100);
        co_await tx.commit();
        CHECK(!tx.open());
        CHECK(b.pool().idle() == 1); // given back at once
        const int inside = co_await b.cents(1);
        CHECK(inside == 70);
        const pg::error again = co_await test::failure_of(tx.commit());
        CHECK(again.code() == pg::errc::closed);
    });
}

TEST_CASE("a transaction that is destroyed without commit is rolled back, and its connection is "
          "lent again")
{
    bank b{1};
    b.run([&]() -> asio::awaitable<void> {
        {
            pg::transaction tx = co_await b.pool().begin();
            co_await tx.execute(b.add(), 1, -30);
        }
        const pg::result r = co_await b.pool().execute(b.read(), 1);
        CHECK(r.get<int>(0, 0) == 100);
        CHECK(b.pool().size() == 1);
    });
}

TEST_CASE("a transaction can be rolled back, and nothing is asked of it then")
{
    bank b{1};
    b.run([&]() -> asio::awaitable<void> {
        pg::transaction tx = co_await b.pool().begin();
        co_await tx.execute(b.add(), 1, -30);
        co_await tx.rollback();
        CHECK(!tx.open());
        CHECK(b.pool().idle() == 1);
        co_await tx.rollback();
        const pg::error e = co_await test::failure_of(tx.execute(b.add(), 1, -30));
        CHECK(e.code() == pg::errc::closed);
        const int cents = co_await b.cents(1);
        CHECK(cents == 100);
    });
}

TEST_CASE("a statement that fails ends its transaction: what comes after does not run on its own")
{
    bank b{1};
    b.run([&]() -> asio::awaitable<void> {
        pg::transaction tx = co_await b.pool().begin();
        co_await tx.execute(b.add(), 2, 500);
        const pg::error e = co_await test::failure_of(tx.execute(b.add(), 1, -500));
        CHECK(e.sqlstate() == "23514");
        CHECK(!tx.open());
        const pg::error after = co_await test::failure_of(tx.execute(b.add(), 2, 1));
        CHECK(after.code() == pg::errc::closed);
        const int cents = co_await b.cents(2);
        CHECK(cents == 100);
    });
}

TEST_CASE("isolation, access and time limits hold for one transaction and no longer")
{
    bank b{1};
    b.run([&]() -> asio::awaitable<void> {
        const pg::result before = co_await b.pool().execute(settings);
        pg::transaction tx = co_await b.pool().begin(pg::transaction_options{}
                                                         .isolation(pg::isolation::repeatable_read)
                                                         .access(pg::access::read_only)
                                                         .statement_timeout(1234ms)
                                                         .lock_timeout(567ms));
        const pg::result inside = co_await tx.execute(settings);
        CHECK(inside.get<std::string>(0, 0) == "repeatable read");
        CHECK(inside.get<std::string>(0, 1) == "on");
        CHECK(inside.get<std::string>(0, 2) == "1234ms");
        CHECK(inside.get<std::string>(0, 3) == "567ms");
        co_await tx.commit();
        const pg::result after = co_await b.pool().execute(settings);
        for (std::size_t i = 0; i < 4; ++i)
            CHECK(after.get<std::string>(0, i) == before.get<std::string>(0, i));

        pg::transaction serializable = co_await b.pool().begin(
            pg::transaction_options{}.isolation(pg::isolation::serializable));
        const pg::result level = co_await serializable.execute(settings);
        CHECK(level.get<std::string>(0, 0) == "serializable");
        CHECK(level.get<std::string>(0, 1) == "off");
    });
}

TEST_CASE("a statement that exceeds its transaction's limit fails on the server")
{
    bank b{1};
    b.run([&]() -> asio::awaitable<void> {
        pg::transaction tx =
            co_await b.pool().begin(pg::transaction_options{}.statement_timeout(20ms));
        const pg::error e =
            co_await test::failure_of(tx.execute(pg::statement{"select pg_sleep(600)"}));
        CHECK(e.sqlstate() == "57014");
        CHECK(b.pool().size() == 1);
    });
}

TEST_CASE("the client waits longer than the statement's limit in a transaction, and only there")
{
    test::run([]() -> asio::awaitable<void> {
        pg::connection c = co_await test::connect();
        {
            pg::transaction tx =
                co_await c.begin(pg::transaction_options{}.statement_timeout(10min));
            CHECK(c.response_timeout() == 610s);
            co_await tx.commit();
            CHECK(c.response_timeout() == 60s);
        }
        {
            pg::transaction tx = co_await c.begin(pg::transaction_options{}.statement_timeout(0ms));
            CHECK(c.response_timeout() == std::chrono::steady_clock::duration::max());
        }
        CHECK(c.response_timeout() == 60s);
    });
}

TEST_CASE("the last statements of a transaction travel with its commit")
{
    bank b{1};
    b.run([&]() -> asio::awaitable<void> {
        pg::transaction tx = co_await b.pool().begin();
        co_await tx.execute(b.add(), 1, -30);
        pg::pipeline last;
        last.add(b.add(), 2, 30);
        last.commit();
        const pg::pipeline_result r = co_await tx.run(std::move(last));
        CHECK(r.committed());
        CHECK(!tx.open());
        CHECK(b.pool().idle() == 1);
        const int cents = co_await b.cents(2);
        CHECK(cents == 130);
    });
}

TEST_CASE("a function in a transaction is committed when it returns and rolled back when it throws")
{
    bank b{1};
    b.run([&]() -> asio::awaitable<void> {
        const auto move = [&b](pg::transaction& tx) -> asio::awaitable<int> {
            co_await tx.execute(b.add(), 1, -30);
            co_await tx.execute(b.add(), 2, 30);
            const pg::result r = co_await tx.execute(b.read(), 1);
            co_return r.get<int>(0, 0);
        };
        const int left = co_await b.pool().transaction(move);
        CHECK(left == 70);

        const auto change_mind = [&b](pg::transaction& tx) -> asio::awaitable<void> {
            co_await tx.execute(b.add(), 1, -30);
            throw std::runtime_error{"no"};
        };
        bool thrown = false;
        try {
            co_await b.pool().transaction(change_mind);
        } catch (const std::runtime_error&) {
            thrown = true;
        }
        CHECK(thrown);

        const auto roll_back = [&b](pg::transaction& tx) -> asio::awaitable<void> {
            co_await tx.execute(b.add(), 1, -30);
            co_await tx.rollback();
        };
        co_await b.pool().transaction(roll_back);
        const int after = co_await b.cents(1);
        CHECK(after == 70);
        CHECK(b.pool().size() == 1);
    });
}

TEST_CASE("a function that hides a failed statement does not pass for a commit")
{
    bank b{1};
    b.run([&]() -> asio::awaitable<void> {
        const auto hide = [&b](pg::transaction& tx) -> asio::awaitable<void> {
            try {
                co_await tx.execute(b.add(), 1, -500);
            } catch (const pg::error&) {}
        };
        const pg::error e = co_await test::failure_of(b.pool().transaction(hide));
        CHECK(e.code() == pg::errc::closed);
    });
}

TEST_CASE("a function that moves its transaction away does not pass for a commit")
{
    bank b{1};
    b.run([&]() -> asio::awaitable<void> {
        const auto take = [&b](pg::transaction& tx) -> asio::awaitable<void> {
            pg::transaction mine = std::move(tx);
            co_await mine.execute(b.add(), 1, -30);
        };
        const pg::error e = co_await test::failure_of(b.pool().transaction(take));
        CHECK(e.code() == pg::errc::closed);
        const int cents = co_await b.cents(1);
        CHECK(cents == 100);
    });
}

TEST_CASE("a serialization failure is tried again as often as was asked for")
{
    bank b{2};
    b.run([&]() -> asio::awaitable<void> {
        int runs = 0;
        const auto collide = [&](pg::transaction& tx) -> asio::awaitable<void> {
            ++runs;
            co_await tx.execute(b.read(), 1);
            if (runs <= 2) co_await b.pool().execute(b.add(), 1, 1); // somebody else is faster
            co_await tx.execute(b.add(), 1, 10);
        };
        const auto options =
            pg::transaction_options{}.isolation(pg::isolation::repeatable_read).attempts(3);
        co_await b.pool().transaction(collide, options);
        CHECK(runs == 3);
        const int cents = co_await b.cents(1);
        CHECK(cents == 112);

        runs = -5;
        auto once = options;
        const pg::error e =
            co_await test::failure_of(b.pool().transaction(collide, once.attempts(1)));
        CHECK(e.sqlstate() == "40001");
        CHECK(runs == -4);
    });
}

TEST_CASE("a commit whose answer is lost is unknown, and is not tried again")
{
    test::proxy line{test_dsn()};
    bank b{1, line.dsn()};
    b.run([&]() -> asio::awaitable<void> {
        int runs = 0;
        const auto work = [&](pg::transaction& tx) -> asio::awaitable<void> {
            ++runs;
            co_await tx.execute(b.add(), 1, 10);
            line.arm(test::fault::before_commit_answer);
        };
        const pg::error e = co_await test::failure_of(
            b.pool().transaction(work, pg::transaction_options{}.attempts(5)));
        CHECK(e.code() == pg::errc::commit_unknown);
        CHECK(runs == 1);
        const int cents = co_await b.cents(1);
        CHECK(cents == 110);
    });
}

TEST_CASE("a connection has one transaction at a time, and is recovered from one that was left")
{
    test::run([]() -> asio::awaitable<void> {
        pg::connection c = co_await test::connect();
        {
            pg::transaction tx = co_await c.begin();
            bool refused = false;
            try {
                co_await c.begin();
            } catch (const std::logic_error&) {
                refused = true;
            }
            CHECK(refused);
            CHECK(tx.open());
        }
        CHECK(!c.clean());
        CHECK(c.recoverable());
        const bool recovered = co_await c.recover();
        CHECK(recovered);
        CHECK(c.clean());
    });
}

TEST_CASE("a transaction whose connection is lost is rolled back and says so")
{
    bank b{1};
    b.run([&]() -> asio::awaitable<void> {
        pg::transaction tx = co_await b.pool().begin();
        co_await tx.execute(b.add(), 1, 10);
        const pg::error e = co_await test::failure_of(
            tx.execute(pg::statement{"select pg_terminate_backend(pg_backend_pid())"}));
        CHECK(e.code() == pg::errc::connection_lost);
        CHECK(!tx.open());
        const pg::error after = co_await test::failure_of(tx.commit());
        CHECK(after.code() == pg::errc::closed);
        const int cents = co_await b.cents(1);
        CHECK(cents == 100);
    });
}
