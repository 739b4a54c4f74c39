// Brings a schema to the version that a program needs, with numbered SQL files and a table that
// remembers them.
#pragma once

#include <perdure/config.hpp>
#include <perdure/pg/connection.hpp>
#include <perdure/pg/value.hpp>

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace perdure::pg {

/// A SQL file: `0001_tables.up.sql` or `0001_tables.down.sql`, and its text.
struct migration_file
{
    std::string_view name;
    std::string_view text;
};

/// A version of a library: up to three numbers, compared number by number.
class PERDURE_DECL library_version
{
public:
    /// Reads `1`, `1.2` or `1.2.3`; throws `error` with errc::bad_value for anything else.
    explicit library_version(std::string_view text);

    std::string to_string() const;
    friend auto operator<=>(const library_version&, const library_version&) = default;

private:
    std::int32_t major_ = 0;
    std::int32_t minor_ = 0;
    std::int32_t patch_ = 0;
};

/// A migration as the database remembers it.
struct applied_migration
{
    std::int32_t version = 0;
    std::string name;     ///< Of the file, without number and ending: `tables`.
    std::string checksum; ///< SHA-256 of the file's text as it was applied, in hexadecimal.
    std::string
        compatible_from; ///< The oldest library version that may use the schema from here on.
    timestamp applied_at{};
};

/// What stands in the database and what is still to be applied.
struct migration_status
{
    std::vector<applied_migration> applied; ///< In order of version.
    std::vector<std::string> pending; ///< Names of the up files that were not applied, in order.
};

/// Applies numbered SQL files to one schema and takes them back. A file is text with `{schema}` in
/// the place of the schema's name (see `substitute_schema`), runs in a transaction of its own and
/// is recorded in the table
/// `{schema}.migrations` with its checksum. An up file says in a comment line
/// `-- compatible_from: 0.1.0` which library version is the oldest that may use the schema once it
/// is applied; without that line the version of this library is taken.
///
/// It needs a session of its own: not through a transaction-pooling proxy. Its operations must not
/// be cancelled half way and go on: the connection is unusable then. A file may take as long as it
/// takes: `connection::response_timeout` is suspended for `up` and `down`.
class PERDURE_DECL migrator
{
public:
    /// `files`: any range of things with `name` and `text`. Throws `error` with errc::bad_value
    /// when a name is not of the form above, a number is missing or used twice, or a down file has
    /// no up file; and as `quote_identifier` does.
    template <class Files>
    migrator(const Files& files, std::string schema, std::string_view version)
        : migrator{copy(files), std::move(schema), library_version{version}}
    {}

    migrator(std::vector<migration_file> files, std::string schema, library_version version);

    /// How long `up` and `down` wait for another process that migrates the same schema, and for how
    /// long each file is tried again, after a second, that failed because of the locks of others
    /// (SQLSTATE 55P03 or 40P01). How long it waits for a lock at a time is the file's own affair:
    /// `set local lock_timeout`. Default 60 s.
    migrator& lock_timeout(std::chrono::steady_clock::duration value)
    {
        lock_timeout_ = value;
        return *this;
    }

    /// Applies all that is pending, creating the schema when it is not there (only for that is the
    /// privilege CREATE on the database needed); returns what was applied. Throws `error`:
    /// errc::migration_changed names a file that differs from what was applied,
    /// errc::migration_busy, errc::schema_too_new as `check`, errc::server_error names the file and
    /// line: that file changed nothing, those before it stay.
    boost::asio::awaitable<std::vector<applied_migration>> up(connection& session) const;

    /// Takes back all migrations above `to_version`, newest first; 0 takes back all, but leaves
    /// schema and table. Returns what was taken back. Throws as `up` does, and errc::bad_value when
    /// a down file is missing.
    boost::asio::awaitable<std::vector<applied_migration>> down(
        connection& session, std::int32_t to_version) const;

    /// What is applied and what is pending; all pending when the schema is not there. Throws as
    /// `connection::run` does.
    boost::asio::awaitable<migration_status> status(connection& session) const;

    /// Returns if this library may use the schema as it is. Throws `error` with
    /// errc::schema_missing (not there, or lacking a migration), errc::schema_too_new (it needs a
    /// newer library) or errc::migration_changed.
    boost::asio::awaitable<void> check(connection& session) const;

private:
    struct migration
    {
        std::int32_t version = 0;
        std::string name;
        std::string up_file;
        std::string up;
        std::optional<std::string> down;
        std::string checksum;
        std::string compatible_from;
    };

    template <class Files>
    static std::vector<migration_file> copy(const Files& files)
    {
        std::vector<migration_file> copied;
        for (const auto& file : files) copied.push_back({file.name, file.text});
        return copied;
    }

    boost::asio::awaitable<void> lock(connection& session) const;
    boost::asio::awaitable<void> unlock(connection& session) const;
    boost::asio::awaitable<std::vector<applied_migration>> alone(
        connection& session, boost::asio::awaitable<std::vector<applied_migration>> work) const;
    boost::asio::awaitable<void> create_table(connection& session) const;
    boost::asio::awaitable<std::vector<applied_migration>> read_applied(connection& session) const;
    boost::asio::awaitable<std::vector<applied_migration>> apply_pending(connection& session) const;
    boost::asio::awaitable<std::vector<applied_migration>> take_back(
        connection& session, std::int32_t to_version) const;
    void check_applied(const std::vector<applied_migration>& applied) const;
    std::string command() const; ///< What to run to migrate this schema.

    std::vector<migration> migrations_;
    std::string schema_;
    library_version version_;
    std::chrono::steady_clock::duration lock_timeout_ = std::chrono::seconds{60};
};

} // namespace perdure::pg
