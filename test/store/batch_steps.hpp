// Stepping through a batch machine, and saying what is expected of it.
#pragma once

#include <store/batch_machine.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <cstddef>
#include <vector>

namespace perdure::store {

using kind = enum batch_step::kind;
using indices = std::vector<std::size_t>;

inline batch_machine machine_of(std::size_t items, batch_limits limits = {})
{
    return batch_machine{std::vector<std::size_t>(items, 1), limits};
}

inline void expect_send(batch_machine& machine, const indices& items)
{
    const batch_step step = machine.next();
    CHECK(step.kind == kind::send);
    CHECK(step.items == items);
}

inline void expect_probe(batch_machine& machine, const indices& items)
{
    const batch_step step = machine.next();
    CHECK(step.kind == kind::probe);
    CHECK(step.items == items);
}

inline void expect_wait(batch_machine& machine, std::chrono::milliseconds pause)
{
    const batch_step step = machine.next();
    CHECK(step.kind == kind::wait);
    CHECK(step.pause == pause);
}

} // namespace perdure::store
