// What the command can do. Each function prints to standard output; whatever goes wrong is an
// exception whose what() is one sentence.
#pragma once

#include <perdure/store/instances.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace perdure::tool {

/// Which installation a command is about.
struct target
{
    std::string dsn; // empty: libpq's defaults
    std::string schema;
    bool dsn_as_argument = false; // not from the environment
};

/// How a command prints.
enum class format
{
    text,
    json
};

struct migrate_request
{
    bool status = false;                 // only say what is applied and what is not
    std::optional<std::int32_t> down_to; // take back what is above this number
    bool force = false;                  // even while instances are active
};

struct show_request
{
    std::string id;
    std::optional<std::int32_t> run;   // by default the latest
    std::optional<std::int32_t> after; // events after the first so many; by default the last ones
    std::int32_t limit = 1000;         // at most so many
};

struct signal_request
{
    std::string id;
    std::string name;
    std::string value = "null"; // JSON
};

void migrate(const target& where, const migrate_request& what);
void list(const target& where, const store::list_request& what, format how);
void show(const target& where, const show_request& what, format how);
void signal(const target& where, const signal_request& what);
void cancel(const target& where, const std::string& id);
void remove(const target& where, const std::vector<std::string>& ids);
void stats(const target& where, format how);

} // namespace perdure::tool
