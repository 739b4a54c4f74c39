// A private PostgreSQL for demos, examples and tests: nothing to install but the server's programs,
// nothing to configure, nothing left behind.
#pragma once

#include <perdure/config.hpp>
#include <perdure/dev/server_options.hpp>

#include <sys/types.h>

#include <memory>
#include <string>
#include <string_view>

namespace perdure::dev {

/// How `server::stop` ends a server.
enum class stop_mode
{
    fast,     ///< sessions are cut, what is in memory is written: as an operator does it
    immediate ///< at once, as in a crash: the next start recovers from the write-ahead log
};

/// A PostgreSQL that belongs to this object.
///
/// It runs from the server's installed programs on a fresh cluster, listens on a Unix socket only
/// (in a directory that only its user and root can enter, which is why it asks for no password),
/// keeps the settings that make commits durable, takes 300 connections, and gives a client 5 s to
/// begin a session. `pg_stat_statements` is loaded when it is installed; a database that wants to
/// read it says `create extension pg_stat_statements`.
///
/// A small *supervisor* process holds the server and notices when the owner ends in any way,
/// `SIGKILL` included; it then stops the server and removes its temporary directory. It is a child
/// of this process that ignores signals from the terminal, and this object waits for it. A process
/// that has been forked from the owner must not use the object.
///
/// PostgreSQL refuses to run as root. When the caller is root, the server runs as the user
/// `postgres`, or, if there is none, `nobody`.
///
/// All functions block, so none belongs on an executor's thread. They are not thread-safe. Whatever
/// they throw is a `perdure::dev::error` whose `what()` is one sentence.
class PERDURE_DECL server
{
public:
    /// Sets up the cluster if there is none yet, starts it, and returns when it accepts connections
    /// (one to two seconds for a fresh one).
    /// \throws error `not_installed`, `no_unprivileged_user`, `unusable_directory`,
    /// `initialization_failed`,
    ///     `start_failed` or `supervisor_failed`. Nothing runs and nothing is left on disk then.
    explicit server(server_options options = {});

    server(const server&) = delete;
    server& operator=(const server&) = delete;

    /// Stops the server. A temporary data directory is removed; a named one is left as after a fast
    /// stop.
    ~server();

    /// How to connect to the database `postgres` as the superuser, as a libpq keyword string. The
    /// same as long as the object lives, also while the server is stopped.
    std::string dsn() const;

    /// Makes a new, empty database.
    /// \param name up to 63 bytes; any text, it is quoted.
    /// \returns how to connect to it as the superuser, as a libpq keyword string.
    /// \throws error `statement_failed` with the server's words, for instance when the name is
    /// taken.
    std::string create_database(std::string_view name);

    /// Stops the server, leaving its data; returns when its processes are gone. Does nothing when
    /// it is not running.
    /// \throws error `stop_failed` when it is still there after the options' patience, or
    /// `supervisor_failed`.
    void stop(stop_mode mode = stop_mode::fast);

    /// Starts it again, and returns when it accepts connections. Does nothing when it is running.
    /// \throws error `start_failed`, with the last lines of the server's log, or
    /// `supervisor_failed`.
    void start();

    /// The server's main process, or 0 while it is stopped.
    pid_t pid() const;

    /// The directory of the socket, the server's log `server.log`, and the data, if that has no
    /// directory of its own. It goes when the object goes.
    const std::string& directory() const noexcept;

private:
    class implementation;
    std::unique_ptr<implementation> implementation_;
};

} // namespace perdure::dev
