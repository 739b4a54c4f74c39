// End to end: workflows that are started and signalled in SQL, by psql, a trigger or any language.
#include "acceptance/elsewhere.hpp"
#include "acceptance/installation.hpp"

#include <perdure/pg/identifier.hpp>
#include <perdure/pg/transaction.hpp>
#include <perdure/workflow/context.hpp>
#include <perdure/workflow/definitions.hpp>
#include <perdure/workflow/task.hpp>

#include <doctest/doctest.h>

#include <string>

namespace asio = boost::asio;
using namespace perdure;
using namespace perdure::test;
using namespace std::chrono_literals;

namespace {

constexpr workflow<"add", std::int64_t(std::int64_t)> add;
constexpr signal<"number", std::int64_t> number;

/// Adds numbers to the first until there is a zero.
task<std::int64_t> run_add(context ctx, std::int64_t sum)
{
    for (;;) {
        const std::int64_t next = co_await ctx.receive(number);
        if (next == 0) co_return sum;
        sum += next;
    }
}

void employ(process& where)
{
    where.add_worker().implement(add, run_add);
}

asio::awaitable<pg::connection> connect()
{
    return pg::connection::connect(pg::connection_options{test_dsn()});
}

/// Statements with `{schema}` in them, on a session of their own.
class psql
{
public:
    psql(const installation& on, pg::connection session)
        : schema_{on.schema()}, session_{std::move(session)}
    {}

    asio::awaitable<pg::result> operator()(std::string_view sql)
    {
        const pg::statement statement = pg::load_statement(sql, schema_);
        return session_.execute(statement);
    }

private:
    std::string schema_;
    pg::connection session_;
};

/// A worker whose listener hears, and which has looked at everything since.
void settle(process& here)
{
    here.run([&] { return wait_until([&] { return here.logged("notifications arrive"); }); });
    here.run([&]() -> asio::awaitable<void> {
        const auto started = co_await here.client().start(add(0));
        co_await started.signal(number, 0);
        co_await started.result();
    });
}

} // namespace

TEST_CASE("plain SQL starts a workflow, signals it and wakes its worker")
{
    for (const setting how : every_setting) {
        CAPTURE(to_string(how));
        const installation on{how};
        process here{on, test_dsn(), patient(on)};
        employ(here);
        here.start_all();
        if (how != setting::polling) settle(here);
        here.run([&]() -> asio::awaitable<void> {
            pg::connection session = co_await connect();
            psql shell{on, std::move(session)};
            co_await shell("select {schema}.start('add', '[9007199254740993]', 'sum')");
            const auto sum = here.client().get(add, "sum");
            co_await wait_for_history(sum, 2); // parked: only a notification wakes it
            co_await shell("select {schema}.signal('sum', 'number', '1')");
            co_await wait_for_history(sum, 4);
            co_await shell("select {schema}.signal('sum', 'number', '0')");
            const std::int64_t result = co_await sum.result();
            CHECK(result == 9007199254740994);
        });
    }
}

TEST_CASE("a trigger on a table starts a workflow with each row, and only with those that stay")
{
    const installation on;
    process here{on, test_dsn(), patient(on)};
    employ(here);
    here.start_all();
    settle(here);
    here.run([&]() -> asio::awaitable<void> {
        pg::connection session = co_await connect();
        psql shell{on, std::move(session)};
        co_await shell("create table {schema}.orders (id bigint, amount bigint, paid boolean)");
        co_await shell(
            "create function {schema}.order_came() returns trigger language plpgsql as $$ begin "
            "perform {schema}.start('add', json_build_array(new.amount), 'order-' || new.id); "
            "return null; end $$");
        co_await shell(
            "create function {schema}.order_paid() returns trigger language plpgsql as $$ begin "
            "perform {schema}.signal('order-' || new.id, 'number', '0'); return null; end $$");
        co_await shell("create trigger came after insert on {schema}.orders "
                       "for each row execute function {schema}.order_came()");
        co_await shell("create trigger paid after update on {schema}.orders "
                       "for each row when (new.paid) execute function {schema}.order_paid()");
        co_await shell("begin");
        co_await shell("insert into {schema}.orders values (1, 10)");
        co_await shell("rollback");
        co_await shell("insert into {schema}.orders values (2, 20), (3, 30)");
        co_await wait_for_history(here.client().get("order-3"), 2);
        co_await shell("update {schema}.orders set paid = true");
        const std::int64_t second = co_await here.client().get(add, "order-2").result();
        const std::int64_t third = co_await here.client().get(add, "order-3").result();
        CHECK(second == 20);
        CHECK(third == 30);
        const auto all = co_await here.client().list();
        CHECK(all.size() == 3); // with the first of all, which settled the worker
    });
}

TEST_CASE("a transaction that stays open delays nobody, and is heard of when it is committed")
{
    const installation on;
    process here{on, test_dsn(), patient(on)};
    employ(here);
    here.start_all();
    settle(here);
    here.run([&]() -> asio::awaitable<void> {
        const client& mine = here.client();
        const auto shared = co_await mine.start(add(0).id("shared"));
        co_await wait_for_history(shared, 2);

        pg::connection user = co_await connect();
        pg::transaction open = co_await user.begin();
        const auto started = co_await mine.start(open, add(100).id("mine"));
        co_await started.signal(open, number, 1);
        co_await shared.signal(open, number, 1000);
        const auto locked = co_await mine.start(open, add(0).id("asked"));
        co_await locked.cancel(open);

        // Starts and signals that have to wait are refused after 10 s.
        const auto other = co_await mine.start(add(5).id("other"));
        co_await other.signal(number, 7);
        co_await shared.signal(number, 2); // of its own instance, too
        co_await wait_for_history(shared, 4);
        co_await other.signal(number, 0);
        const std::int64_t others = co_await other.result();
        CHECK(others == 12);
        pg::connection session = co_await connect();
        psql shell{on, std::move(session)};
        co_await shell("select {schema}.signal('shared', 'number', '3')");
        co_await wait_for_history(shared, 6);

        co_await open.commit();
        co_await wait_for_history(shared, 8);
        co_await shared.signal(number, 0);
        const std::int64_t all = co_await shared.result();
        CHECK(all == 1005);
        co_await wait_for_history(started, 4);
        co_await started.signal(number, 0);
        const std::int64_t result = co_await started.result();
        CHECK(result == 101);
        bool cancelled_itself = false;
        try {
            co_await locked.result();
        } catch (const cancelled&) {
            cancelled_itself = true;
        }
        CHECK(cancelled_itself);
    });
    for (const log_line& line : here.log()) {
        CAPTURE(line.text);
        CHECK(line.level < log_level::warning);
    }
}

TEST_CASE("a start for later runs when its time has come, without a poll")
{
    const installation on;
    process here{on, test_dsn(), patient(on)};
    employ(here);
    here.start_all();
    settle(here);
    here.run([&]() -> asio::awaitable<void> {
        pg::connection session = co_await connect();
        psql shell{on, std::move(session)};
        co_await shell("select {schema}.start('add', '[1]', 'later', at => now() + '500 ms')");
        co_await shell("select {schema}.signal('later', 'number', '0')");
        const std::int64_t result = co_await here.client().get(add, "later").result();
        CHECK(result == 1);
        const pg::result early = co_await shell(
            "select task.at - started.at < '400 ms' from {schema}.history as started "
            "join {schema}.history as task using (instance, run) "
            "join {schema}.instances as instance on instance.k = instance "
            "where instance.id = 'later' and started.seq = 1 and task.type = 'workflow_task'");
        CHECK_FALSE(early.get<bool>(0, 0));
    });
}

TEST_CASE("several processes deliver many requests, each once")
{
    const installation on;
    const elsewhere second{on, employ};
    const elsewhere third{on, employ};
    process here{on, test_dsn(), patient(on)};
    employ(here);
    here.start_all();
    settle(here);
    constexpr std::int64_t instances = 5;
    constexpr std::int64_t numbers = 600; // more than a look brings
    here.run([&]() -> asio::awaitable<void> {
        pg::connection session = co_await connect();
        psql shell{on, std::move(session)};
        for (std::int64_t i = 0; i < instances; ++i)
            co_await here.client().start(add(0).id("sum-" + std::to_string(i)));
        co_await shell("select {schema}.signal('sum-' || i % 5, 'number', to_json(i)) "
                       "from generate_series(1, 600) as i");
        co_await shell("select {schema}.signal('sum-' || i, 'number', '0') "
                       "from generate_series(0, 4) as i");
        std::int64_t sum = 0;
        for (std::int64_t i = 0; i < instances; ++i)
            sum += co_await here.client().get(add, "sum-" + std::to_string(i)).result();
        CHECK(sum == numbers * (numbers + 1) / 2);
    });
}
