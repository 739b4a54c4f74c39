#include <worker/slots.hpp>

#include "run.hpp"

#include <boost/asio/co_spawn.hpp>

#include <doctest/doctest.h>

#include <memory>

namespace asio = boost::asio;
using perdure::slots;

TEST_CASE("a slot is held until it is destroyed, wherever it was moved to")
{
    asio::io_context io{1};
    auto all = std::make_shared<slots>(io.get_executor(), 2);
    CHECK(all->free() == 2);
    {
        slots::slot first = all->take();
        CHECK(all->free() == 1);
        slots::slot moved = std::move(first);
        CHECK(all->free() == 1);
        const slots::slot second = all->take();
        CHECK(all->free() == 0);
        CHECK(all->used() == 2);
    }
    CHECK(all->free() == 2);
}

TEST_CASE("a poller that waits for a slot goes on when one is freed")
{
    asio::io_context io{1};
    auto all = std::make_shared<slots>(io.get_executor(), 1);
    int freed = 0;
    all->on_free([&] { ++freed; });
    auto taken = std::make_unique<slots::slot>(all->take());
    bool waited = false;
    asio::co_spawn(io, all->wait_for_free(), [&](std::exception_ptr) { waited = true; });
    io.poll();
    CHECK_FALSE(waited);
    taken.reset();
    io.restart();
    io.poll();
    CHECK(waited);
    CHECK(freed == 1);
}
