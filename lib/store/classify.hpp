// What an error of the database means for a batch.
#pragma once

#include <store/batch_machine.hpp>

#include <perdure/pg/error.hpp>

#include <cstddef>
#include <optional>
#include <vector>

namespace perdure::store {

/// Nothing: no batch goes on after this, it is for the caller (the pool is closed, the server too
/// old, a result unreadable).
std::optional<batch_failure> classify(const pg::error& failure);

/// The positions in a fence's DETAIL, from 1.
std::vector<std::size_t> losers_of(const pg::error& failure);

} // namespace perdure::store
