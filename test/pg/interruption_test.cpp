// What stands on connections, and what they stand on, interrupted at every point.
#include "interruption.hpp"

#include <perdure/pg/migrator.hpp>

#include <pg/blocking.hpp>

#include <doctest/doctest.h>

using namespace perdure;
using namespace std::chrono_literals;
namespace asio = boost::asio;
using namespace test;

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
