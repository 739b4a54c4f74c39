#include "fake_server.hpp"
#include "session.hpp"

#include "../proxy.hpp"

#include <perdure/pg/listener.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/error.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <thread>

using namespace perdure;
using namespace std::chrono_literals;
namespace asio = boost::asio;
using test::contains;

namespace {

const pg::statement notify{"select pg_notify($1, $2)"};

/// A listener that notes down what it reports.
struct recorder
{
    recorder(asio::io_context& context, pg::listener_options options)
        : io{context}, listener{context.get_executor(), std::move(options)}
    {
        listener.on_notification([this](const pg::notification& n) { notifications.push_back(n); });
        listener.on_gap([this] { ++gaps; });
        listener.on_down([this](const pg::error& e) { down.push_back(e); });
    }

    /// Begins to listen; `ended` tells when it is over, `failure` how.
    void start()
    {
        asio::co_spawn(io, listener.run(), [this](std::exception_ptr e) {
            ended = true;
            failure = e;
        });
    }

    asio::io_context& io;
    pg::listener listener;
    std::vector<pg::notification> notifications;
    std::vector<pg::error> down;
    int gaps = 0;
    bool ended = false;
    std::exception_ptr failure;
};

pg::listener_options listen_to(std::vector<std::string> channels)
{
    pg::listener_options options{test::test_connection()};
    options.channels(std::move(channels));
    return options;
}

asio::awaitable<void> stop(recorder& r)
{
    r.listener.stop();
    co_await test::wait_until([&] { return r.ended; });
    CHECK(!r.failure);
    CHECK(!r.listener.up());
}

/// The process that serves the session with this application name.
asio::awaitable<int> listening_pid(pg::connection& c, std::string name)
{
    const pg::statement find{"select pid from pg_stat_activity where application_name = $1"};
    const pg::result r = co_await c.execute(find, name);
    REQUIRE(r.size() == 1);
    co_return r.get<int>(0, 0);
}

} // namespace

TEST_CASE("a listener reports a gap once it hears, then every notification of its channels")
{
    asio::io_context io{1};
    const std::string channel = unique_schema() + " with \"quotes\"";
    recorder r{io, listen_to({channel, "other"})};
    test::run(io, [&]() -> asio::awaitable<void> {
        r.start();
        CHECK(!r.listener.up());
        co_await test::wait_until([&] { return r.gaps == 1; });
        CHECK(r.listener.up());
        pg::connection c = co_await test::connect();
        co_await c.execute(notify, "somewhere else", "x");
        co_await c.execute(notify, channel, "first");
        co_await c.execute(notify, "other", "");
        co_await test::wait_until([&] { return r.notifications.size() == 2; });
        CHECK(r.notifications[0].channel == channel);
        CHECK(r.notifications[0].payload == "first");
        CHECK(r.notifications[0].backend_pid == c.backend_pid());
        CHECK(r.notifications[1].channel == "other");
        co_await stop(r);
        CHECK(r.gaps == 1);
        CHECK(r.down.empty());
    });
    io.restart();
    io.run(); // nothing is pending: it returns
}

TEST_CASE("a listener drains a burst of notifications in order")
{
    asio::io_context io{1};
    const std::string channel = unique_schema();
    recorder r{io, listen_to({channel})};
    test::run(io, [&]() -> asio::awaitable<void> {
        r.start();
        co_await test::wait_until([&] { return r.gaps == 1; });
        pg::connection c = co_await test::connect();
        const pg::statement burst{
            "select pg_notify($1, n || repeat('x', 200)) from generate_series(1, 5000) n"};
        co_await c.execute(burst, channel);
        co_await test::wait_until([&] { return r.notifications.size() == 5000; });
        for (std::size_t i = 0; i < 5000; ++i)
            REQUIRE(r.notifications[i].payload.starts_with(std::to_string(i + 1) + "x"));
        co_await stop(r);
    });
}

TEST_CASE(
    "a listener whose session is terminated says why, reconnects on a new one and reports a gap")
{
    asio::io_context io{1};
    const std::string channel = unique_schema();
    pg::listener_options options = listen_to({channel});
    options.connection(pg::connection_options{test_dsn() + " application_name=" + channel});
    recorder r{io, options};
    test::run(io, [&]() -> asio::awaitable<void> {
        pg::connection c = co_await test::connect();
        r.start();
        for (int round = 1; round <= 2; ++round) {
            co_await test::wait_until([&] { return r.gaps == round; });
            const int pid = co_await listening_pid(c, channel);
            const auto begun = std::chrono::steady_clock::now();
            co_await c.execute(pg::statement{"select pg_terminate_backend($1, 10000)"}, pid);
            co_await test::wait_until([&] { return r.gaps == round + 1; });
            CHECK(std::chrono::steady_clock::now() - begun < 5s);
            REQUIRE(r.down.size() == static_cast<std::size_t>(round));
            CHECK(r.down.back().code() == pg::errc::connection_lost);
            CHECK(r.down.back().sqlstate() == "57P01");
        }
        co_await c.execute(notify, channel, "still there");
        co_await test::wait_until([&] { return r.notifications.size() == 1; });
        co_await stop(r);
    });
}

TEST_CASE(
    "a listener keeps trying while the server is down, says so once, and is back soon after it")
{
    dev::server own;
    asio::io_context io{1};
    recorder r{io, pg::listener_options{pg::connection_options{own.dsn()}}.channels({"c"})};
    test::run(io, [&]() -> asio::awaitable<void> {
        r.start();
        co_await test::wait_until([&] { return r.gaps == 1; });
    });
    own.stop(dev::stop_mode::immediate);
    test::run(io, [&]() -> asio::awaitable<void> {
        co_await test::wait_until([&] { return r.down.size() >= 2; });
        co_await test::pause(500ms); // several attempts, the same cause
        CHECK(r.down.size() == 2);   // lost, then refused
        CHECK(r.down[1].code() == pg::errc::connect_failed);
    });
    own.start();
    test::run(io, [&]() -> asio::awaitable<void> {
        const auto begun = std::chrono::steady_clock::now();
        co_await test::wait_until([&] { return r.gaps == 2; });
        CHECK(std::chrono::steady_clock::now() - begun < 2s);
        co_await stop(r);
    });
}

TEST_CASE("the safety statement runs on the listener's session again and again")
{
    asio::io_context io{1};
    recorder r{io, listen_to({unique_schema()}).liveness_interval(20ms)};
    std::vector<int> answers;
    r.listener.on_safety(pg::statement{"select pg_backend_pid()"}, [&](const pg::result& rows) {
        answers.push_back(rows.get<int>(0, 0));
    });
    test::run(io, [&]() -> asio::awaitable<void> {
        r.start();
        co_await test::wait_until([&] { return answers.size() == 3; });
        CHECK(answers[0] == answers[2]);
        CHECK(r.gaps == 1);
        co_await stop(r);
    });
}

TEST_CASE(
    "a safety statement that the server refuses is reported, and notifications go on arriving")
{
    asio::io_context io{1};
    recorder r{io, listen_to({unique_schema()}).liveness_interval(20ms)};
    std::vector<std::string> refused;
    r.listener.on_safety(pg::statement{"select 1 / 0"}, [](const pg::result&) {});
    r.listener.on_safety_refused(
        [&](const pg::error& cause) { refused.emplace_back(cause.sqlstate()); });
    test::run(io, [&]() -> asio::awaitable<void> {
        r.start();
        co_await test::wait_until([&] { return refused.size() == 3; });
        CHECK(refused[2] == "22012");
        CHECK(r.gaps == 1);
        CHECK(r.down.empty());
        co_await stop(r);
    });
}

TEST_CASE("a network that drops everything is noticed by the safety statement, and the listener "
          "reconnects")
{
    asio::io_context io{1};
    test::proxy line{test_dsn()};
    pg::connection_options through{line.dsn()};
    through.connect_timeout(200ms);
    pg::listener_options options{through};
    options.channels({unique_schema()}).liveness_interval(50ms).response_timeout(200ms);
    recorder r{io, options};
    test::run(io, [&]() -> asio::awaitable<void> {
        r.start();
        co_await test::wait_until([&] { return r.gaps == 1; });
        line.freeze();
        co_await test::wait_until([&] { return !r.down.empty(); });
        CHECK(contains(r.down[0].what(), "did not answer the safety statement within 200 ms"));
        CHECK(!r.listener.up());
        line.thaw();
        co_await test::wait_until([&] { return r.gaps == 2; });
        co_await stop(r);
    });
}

TEST_CASE("a listener in doubt notifies itself, and is down when it does not hear that")
{
    asio::io_context io{1};
    test::proxy line{test_dsn()};
    pg::listener_options options{pg::connection_options{line.dsn()}};
    options.channels({unique_schema()}).response_timeout(200ms);
    recorder r{io, options};
    int answers = 0;
    r.listener.on_safety(pg::statement{"select 1"}, [&](const pg::result&) { ++answers; });
    test::run(io, [&]() -> asio::awaitable<void> {
        r.listener.doubt(); // there is none yet
        r.start();
        co_await test::wait_until([&] { return r.gaps == 1; });
        r.listener.doubt();
        r.listener.look(); // comes behind
        co_await test::wait_until([&] { return answers == 1; });
        CHECK(r.listener.up());
        CHECK(r.down.empty());
        line.mute();
        r.listener.doubt();
        co_await test::wait_until([&] { return !r.down.empty(); });
        CHECK(r.down[0].code() == make_error_code(pg::errc::notifications_blocked));
        CHECK(!r.listener.up());
        CHECK(r.gaps == 1);
        co_await stop(r);
    });
}

TEST_CASE("a server that never answers is reported once, however long each attempt takes")
{
    std::atomic<int> attempts = 0;
    test::fake_server silent{[&](auto& client) {
        ++attempts;
        test::fake_server::listen_until_closed(client);
    }};
    asio::io_context io{1};
    pg::connection_options connection{silent.dsn()};
    recorder one{io, pg::listener_options{connection.connect_timeout(50ms)}};
    const std::string port = silent.dsn().substr(silent.dsn().find("port="));
    pg::connection_options several{"host=127.0.0.1,127.0.0.1 " + port};
    recorder both{io, pg::listener_options{several.connect_timeout(100ms)}};
    test::run(io, [&]() -> asio::awaitable<void> {
        one.start();
        for (int i = 1; i <= 3; ++i) {
            co_await test::wait_until([&] { return attempts == i; });
            std::this_thread::sleep_for(100ms * i); // a stall of the whole program
        }
        co_await test::wait_until([&] { return attempts == 4; });
        REQUIRE(one.down.size() == 1);
        CHECK(one.down[0].code() == pg::errc::connect_timed_out);
        CHECK(contains(one.down[0].what(), "did not answer within 50 ms of connecting"));
        co_await stop(one);

        attempts = 0;
        both.start();
        for (int i = 1; i <= 6; ++i) {
            co_await test::wait_until([&] { return attempts == i; });
            std::this_thread::sleep_for(10ms * i);
        }
        co_await test::wait_until([&] { return attempts == 7; });
        REQUIRE(both.down.size() == 1);
        CHECK(contains(both.down[0].what(), "within its share of 100 ms of connecting"));
        co_await stop(both);
    });
}

TEST_CASE("stop ends a listener that is connecting, and one that has not begun")
{
    test::fake_server silent{[](auto& client) { test::fake_server::listen_until_closed(client); }};
    asio::io_context io{1};
    recorder connecting{io, pg::listener_options{pg::connection_options{silent.dsn()}}};
    recorder early{io, listen_to({"c"})};
    test::run(io, [&]() -> asio::awaitable<void> {
        connecting.start();
        co_await test::pause(20ms);
        co_await stop(connecting);
        early.listener.stop();
        early.start();
        co_await test::wait_until([&] { return early.ended; });
        CHECK(!early.failure);
    });
    io.restart();
    io.run();
}

TEST_CASE("a cancelled listener ends with operation_aborted and leaves nothing pending")
{
    asio::io_context io{1};
    pg::listener listener{io.get_executor(), listen_to({"c"})};
    bool up = false;
    listener.on_gap([&] { up = true; });
    asio::cancellation_signal cancel;
    std::exception_ptr failure;
    test::run(io, [&]() -> asio::awaitable<void> {
        asio::co_spawn(
            io, listener.run(),
            asio::bind_cancellation_slot(
                cancel.slot(), [&](std::exception_ptr e) { failure = e; }));
        co_await test::wait_until([&] { return up; });
        cancel.emit(asio::cancellation_type::terminal);
        co_await test::wait_until([&] { return failure != nullptr; });
    });
    CHECK_THROWS_AS(std::rethrow_exception(failure), boost::system::system_error);
    CHECK(!listener.up());
    io.restart();
    io.run();
}

TEST_CASE("a listener may be destroyed while it runs")
{
    asio::io_context io{1};
    std::optional<pg::listener> listener{std::in_place, io.get_executor(), listen_to({"c"})};
    bool up = false;
    bool ended = false;
    listener->on_gap([&] { up = true; });
    test::run(io, [&]() -> asio::awaitable<void> {
        asio::co_spawn(io, listener->run(), [&](std::exception_ptr e) { ended = !e; });
        co_await test::wait_until([&] { return up; });
        listener.reset();
        co_await test::wait_until([&] { return ended; });
    });
}

TEST_CASE("a connection string that can never be valid is refused at once")
{
    asio::io_context io{1};
    pg::listener_options options{pg::connection_options{"hots=localhost"}};
    pg::listener listener{io.get_executor(), options.channels({"orders"})};
    bool reported = false;
    listener.on_down([&](const pg::error&) { reported = true; });
    test::run(io, [&]() -> asio::awaitable<void> {
        const pg::error e = co_await test::failure_of(listener.run());
        CHECK(e.code() == pg::errc::connect_failed);
        CHECK(contains(e.what(), "invalid connection option \"hots\""));
    });
    CHECK(!reported);
}

TEST_CASE("a channel name that cannot be one is refused at once")
{
    asio::io_context io{1};
    pg::listener listener{io.get_executor(), listen_to({std::string(64, 'x')})};
    test::run(io, [&]() -> asio::awaitable<void> {
        const pg::error e = co_await test::failure_of(listener.run());
        CHECK(e.code() == pg::errc::bad_value);
    });
}
