// What names an instance, a claim and a process inside the store.
#pragma once

#include <perdure/config.hpp>

#include <cstdint>

namespace perdure::store {

/// The number of an instance's row: never used again, not even when the id is. Orders instances by
/// creation.
enum class instance_key : std::int64_t
{
};

/// What a claim leaves in its row, and what extending and completing must show. Drawn at random, so
/// that it differs from every other claim's even after the database was restored to an earlier
/// state. Never 0.
enum class claim_token : std::int64_t
{
};

/// A process that announces and hears: a random number, made from the name with which it signs.
enum class member_id : std::int32_t
{
};

/// Draws a token: 64 random bits from the system, never 0. Throws std::exception when the system
/// has none.
PERDURE_DECL claim_token draw_token();

} // namespace perdure::store
