// How an engine's parts work together: its hub, its listener and the commits of its store.
#include <engine/engine_core.hpp>

#include "acceptance/installation.hpp"
#include "fleet.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <string>

namespace asio = boost::asio;
using namespace perdure;
using namespace perdure::test;
using namespace std::chrono_literals;

namespace {

/// An engine whose server takes connections, and never says a word.
struct unheard
{
    asio::io_context io{1};
    asio::ip::tcp::acceptor server{io, {asio::ip::address_v4::loopback(), 0}};
    std::shared_ptr<engine_core> core = std::make_shared<engine_core>(
        io.get_executor(),
        "host=127.0.0.1 user=nobody dbname=nothing sslmode=disable gssencmode=disable port=" +
            std::to_string(server.local_endpoint().port()),
        engine_options{}.connect_timeout(1s));

    ~unheard()
    {
        core->shut_down();
        io.restart();
        io.run();
    }
};

} // namespace

TEST_CASE("who waits until others were told waits for what goes along with a commit")
{
    for (const bool confirmed : {true, false}) {
        CAPTURE(confirmed);
        unheard engine;
        wake_hub& hub = engine.core->hub();
        hub.committed(work_on("eu"), std::nullopt);
        const auto rider = hub.lead(work_on("us"));
        REQUIRE(rider);
        REQUIRE(rider->payload.find("eu") != std::string::npos);

        bool told = false;
        asio::co_spawn(engine.io, engine.core->announced(), [&](std::exception_ptr failure) {
            CHECK(!failure);
            told = true;
        });
        engine.io.poll();
        CHECK_FALSE(told);
        if (confirmed)
            hub.committed(work_on("us"), rider->id);
        else
            hub.not_told(rider->id); // then it is to be said by itself, which cannot be done
        engine.io.restart();
        engine.io.poll();
        CHECK(told == confirmed);
        engine.io.restart();
        run(engine.io, wait_until([&] { return told; }));
    }
}

TEST_CASE("the session that listens has a name of its own")
{
    const installation on;
    asio::io_context io{1};
    const auto core = std::make_shared<engine_core>(io.get_executor(), test_dsn(), on.options());
    const auto listening = core->listen();
    run(io, [&]() -> asio::awaitable<void> {
        pg::connection c = co_await pg::connection::connect(pg::connection_options{test_dsn()});
        const pg::statement find{"select count(*) from pg_stat_activity where application_name = "
                                 "'perdure listener' and query like '%' || $1 || '%'"};
        for (std::int64_t found = 0; found == 0;)
            found = (co_await c.execute(find, on.schema())).get<std::int64_t>(0, 0);
    });
    core->shut_down();
    io.restart();
    io.run();
}
