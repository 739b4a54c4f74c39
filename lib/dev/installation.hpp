// Where PostgreSQL's server programs are, and whom they may run as.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

namespace perdure::dev {

/// The programs of one installed PostgreSQL server.
struct installation
{
    std::string initdb;
    std::string postgres;
    bool statement_statistics = false; ///< pg_stat_statements can be loaded
};

/// Finds the server: in `binary_directory`, or, if that is empty, the newest of Debian's places,
/// else on `PATH`.
/// \throws error `not_installed`.
installation find_installation(const std::string& binary_directory);

/// The user that a server runs as when it cannot run as the caller.
struct unprivileged_user
{
    std::string name;
    uid_t uid = 0;
    gid_t gid = 0;
};

/// The user to drop to: none unless the caller is root.
/// \throws error `no_unprivileged_user`.
std::optional<unprivileged_user> find_server_user();

} // namespace perdure::dev
