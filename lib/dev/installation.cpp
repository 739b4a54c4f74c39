#include <dev/installation.hpp>

#include <perdure/dev/error.hpp>

#include <pwd.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <string_view>
#include <system_error>

namespace perdure::dev {

namespace {

namespace fs = std::filesystem;

constexpr int oldest_version = 15;

std::optional<installation> installation_in(const fs::path& directory)
{
    installation found{
        .initdb = directory / "initdb",
        .postgres = directory / "postgres",
        .statement_statistics = false};
    if (::access(found.initdb.c_str(), X_OK) != 0 || ::access(found.postgres.c_str(), X_OK) != 0)
        return std::nullopt;
    std::error_code unreadable;
    for (const char* libraries : {"../lib", "../lib/postgresql", "../lib64/pgsql"}) {
        const fs::path module = directory / libraries / "pg_stat_statements.so";
        found.statement_statistics |= fs::exists(module, unreadable);
    }
    return found;
}

std::optional<installation> newest_of_debian()
{
    std::optional<installation> newest;
    int newest_version = oldest_version - 1;
    std::error_code missing;
    for (const fs::directory_entry& entry :
         fs::directory_iterator{"/usr/lib/postgresql", missing}) {
        const std::string name = entry.path().filename();
        int version = 0;
        const auto parsed = std::from_chars(name.data(), name.data() + name.size(), version);
        if (parsed.ptr != name.data() + name.size() || version <= newest_version) continue;
        if (auto found = installation_in(entry.path() / "bin")) {
            newest = std::move(found);
            newest_version = version;
        }
    }
    return newest;
}

std::optional<installation> first_on_path()
{
    const char* const path = std::getenv("PATH");
    std::string_view rest = path ? path : "";
    while (!rest.empty()) {
        const std::string_view directory = rest.substr(0, rest.find(':'));
        rest.remove_prefix(std::min(rest.size(), directory.size() + 1));
        if (directory.empty()) continue;
        if (auto found = installation_in(directory)) return found;
    }
    return std::nullopt;
}

} // namespace

installation find_installation(const std::string& binary_directory)
{
    if (!binary_directory.empty()) {
        if (auto found = installation_in(binary_directory)) return *found;
        throw error{
            errc::not_installed,
            "there are no PostgreSQL server programs (initdb and postgres) in \"" +
                binary_directory +
                "\"; name the directory that holds them, such as "
                "/usr/lib/postgresql/15/bin"};
    }
    if (auto found = newest_of_debian()) return *found;
    if (auto found = first_on_path()) return *found;
    throw error{
        errc::not_installed,
        "the PostgreSQL server (15 or later) is not installed: initdb and postgres are neither in "
        "/usr/lib/postgresql/*/bin nor on PATH; install the package postgresql-15, or name a "
        "running "
        "database with PERDURE_DSN"};
}

std::optional<unprivileged_user> find_server_user()
{
    if (::geteuid() != 0) return std::nullopt;
    for (const char* name : {"postgres", "nobody"}) {
        const passwd* const entry = ::getpwnam(name);
        if (entry && entry->pw_uid != 0)
            return unprivileged_user{.name = name, .uid = entry->pw_uid, .gid = entry->pw_gid};
    }
    throw error{
        errc::no_unprivileged_user, "PostgreSQL does not run as root, and there is neither a user "
                                    "postgres nor a user nobody to run it "
                                    "as; create one, or run this as another user"};
}

} // namespace perdure::dev
