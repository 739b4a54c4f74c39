// Turns connection options into what libpq's connecting functions take.
#pragma once

#include <perdure/pg/connection_options.hpp>

#include <libpq-fe.h>

#include <string>
#include <utility>
#include <vector>

namespace perdure::pg {

/// Keywords and values of one attempt to connect, in the order in which later ones override earlier
/// ones.
using conninfo = std::vector<std::pair<std::string, std::string>>;

/// The attempts that the options ask for, in order: one for each host that the connection string
/// lists, so that a host that does not answer costs only its share of the time. Throws `error` with
/// errc::connect_failed when the string is malformed.
std::vector<conninfo> make_conninfo(const connection_options& options);

/// Where a connection leads, with names resolved.
struct address
{
    std::string host;
    std::string hostaddr; ///< Empty for a socket in the file system.
    std::string port;
};

address address_of(PGconn* connection);

/// The attempt to reach the very server that another connection of these options is connected to.
conninfo make_conninfo(const connection_options& options, const address& server);

} // namespace perdure::pg
