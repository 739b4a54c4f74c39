// A private PostgreSQL with Perdure's schema in a database of its own, and what the server counts.
#pragma once

#include "database.hpp"
#include "options.hpp"
#include "report.hpp"

#include <perdure/dev/server.hpp>

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace bench {

/// What the server has counted so far. Workers and clients connect under roles of their own, so that
/// their statements are told from the benchmark's.
struct counters
{
    std::chrono::steady_clock::time_point at;
    double worker_statements = 0.0;
    double client_statements = 0.0;
    double worker_wal_records = 0.0;
    double transaction_ids = 0.0;
    double server_seconds = 0.0; ///< processor time
};

using server_settings = std::vector<std::pair<std::string, std::string>>;

class installation
{
public:
    /// Starts the server, makes the database and writes into the report what it stands on.
    installation(const options& how, report& to, const server_settings& settings = {});
    installation(const installation&) = delete;
    installation& operator=(const installation&) = delete;
    ~installation();

    perdure::dev::server& server() noexcept { return server_; }
    session& admin() { return *admin_; }
    /// After the server was stopped and started.
    void reconnect() { admin_.emplace(dsn_); }

    const std::string& dsn() const noexcept { return dsn_; }
    std::string worker_dsn() const;
    std::string client_dsn() const;

    /// The plans of a table that has never been analyzed are another benchmark.
    void vacuum();

    /// Removes all instances. Nobody may be working.
    void empty();

    counters count();

    /// What the disk, and whatever pretends to be one, takes for the commit of a row: the median of
    /// some. All else depends on it.
    double commit_microseconds();

    /// Waits until the workers' role has so many sessions.
    void await_sessions(std::size_t sessions);
    /// Waits until workers send nothing any more.
    void await_rest();

private:
    void drop_database();
    void describe(const options& how, report& to);

    perdure::dev::server server_;
    std::string dsn_;
    std::optional<session> admin_;
};

} // namespace bench
