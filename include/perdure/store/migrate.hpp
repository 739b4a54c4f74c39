// Makes a schema ready for this library, with the migrations it carries.
#pragma once

#include <perdure/config.hpp>
#include <perdure/pg/connection.hpp>
#include <perdure/pg/migrator.hpp>

#include <boost/asio/awaitable.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace perdure::store {

/// The version of this library, as `compatible_from` lines know it.
inline constexpr std::string_view library_version = "0.1.0";

/// The migrations of the store for one schema. Throws pg::error (errc::bad_value) when the schema's
/// name cannot be one.
PERDURE_DECL pg::migrator make_migrator(std::string schema);

/** Creates the schema, or brings it up to date, and returns what was applied: nothing when it was
 *  up to date already. Several processes may call it at once.
 *
 *  \param session a session of its own; must outlive the call. Not through a proxy that pools
 *      transactions.
 *  \throws pg::error as pg::migrator::up.
 */
PERDURE_DECL boost::asio::awaitable<std::vector<pg::applied_migration>> migrate(
    pg::connection& session, std::string schema);

} // namespace perdure::store
