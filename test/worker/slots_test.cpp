#include <worker/slots.hpp>

#include <doctest/doctest.h>

#include <memory>

using perdure::slots;

TEST_CASE("a slot is held until it is destroyed, wherever it was moved to")
{
    auto all = std::make_shared<slots>(2);
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

TEST_CASE("whoever waits for a slot is told when one is freed")
{
    auto all = std::make_shared<slots>(1);
    int freed = 0;
    all->on_free([&] { freed += static_cast<int>(all->free()); });
    auto taken = std::make_unique<slots::slot>(all->take());
    CHECK(freed == 0);
    taken.reset();
    CHECK(freed == 1);
}
