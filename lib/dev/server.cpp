#include <dev/installation.hpp>
#include <dev/supervisor.hpp>

#include <perdure/dev/error.hpp>
#include <perdure/dev/server.hpp>

#include <libpq-fe.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <filesystem>
#include <fstream>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace perdure::dev {

namespace {

namespace fs = std::filesystem;

constexpr const char* superuser = "postgres";
constexpr std::size_t log_lines_shown = 6;
constexpr std::chrono::milliseconds look_interval{5};

/// A value of a libpq keyword string.
std::string keyword_value(std::string_view value)
{
    if (!value.empty() && value.find_first_of(" \t\n\r\v\f'\\") == value.npos)
        return std::string{value};
    std::string text = "'";
    for (const char character : value) {
        if (character == '\'' || character == '\\') text += '\\';
        text += character;
    }
    return text + "'";
}

[[noreturn]] void unusable(const std::string& path, std::string_view why)
{
    throw error{
        errc::unusable_directory,
        "the directory \"" + path +
            "\" cannot be used for a private PostgreSQL: " + std::string{why}};
}

/// A new directory that only the server's user, and root, can enter.
std::string make_private_directory(const std::optional<unprivileged_user>& user)
{
    // Not $TMPDIR: homes are closed to other users, /tmp may be memory, and a socket's path is
    // short. mkdtemp replaces the last six letters.
    std::string path = "/var/tmp/perdure-XXXXXX";
    if (!::mkdtemp(path.data())) unusable("/var/tmp", std::strerror(errno));
    if (user && ::chown(path.c_str(), user->uid, user->gid) != 0) {
        const int reason = errno;
        ::rmdir(path.c_str());
        unusable(path, std::strerror(reason));
    }
    return path;
}

/// Makes the directory that was named for the data, if it is missing. Whether it is fit, initdb or
/// the server says.
void make_data_directory(const std::string& path, const std::optional<unprivileged_user>& user)
{
    std::error_code failed;
    if (!fs::create_directories(path, failed)) {
        if (failed) unusable(path, failed.message());
        return;
    }
    if (::chmod(path.c_str(), S_IRWXU) != 0) unusable(path, std::strerror(errno));
    if (user && ::chown(path.c_str(), user->uid, user->gid) != 0)
        unusable(path, std::strerror(errno));
}

/// What the server, or initdb, said last.
std::string last_words(const std::string& log)
{
    std::deque<std::string> lines;
    std::ifstream file{log};
    for (std::string line; std::getline(file, line);) {
        if (line.empty()) continue;
        lines.push_back(std::move(line));
        if (lines.size() > log_lines_shown) lines.pop_front();
    }
    std::string text;
    for (const std::string& line : lines) text += "\n  " + line;
    return text.empty() ? "\n  (nothing)" : text;
}

struct connection_closer
{
    void operator()(PGconn* connection) const noexcept { PQfinish(connection); }
};

} // namespace

class PERDURE_LOCAL server::implementation
{
public:
    explicit implementation(server_options options) : options_{std::move(options)}
    {
        const installation programs = find_installation(options_.binary_directory());
        const std::optional<unprivileged_user> user = find_server_user();
        directory_ = make_private_directory(user);
        log_ = directory_ + "/server.log";
        try {
            prepare(programs, user);
        } catch (...) {
            std::error_code ignored;
            fs::remove_all(directory_, ignored);
            throw;
        }
        if (!has_cluster()) initialize();
        start();
    }

    void start()
    {
        if (supervisor_->running() != 0) return;
        supervisor_->start();
        const auto deadline = std::chrono::steady_clock::now() + options_.patience();
        const std::string probe = dsn(superuser);
        while (PQping(probe.c_str()) != PQPING_OK) {
            if (supervisor_->running() == 0)
                throw error{
                    errc::start_failed,
                    "the private PostgreSQL ended while it was started; its last words were:" +
                        last_words(log_)};
            if (std::chrono::steady_clock::now() > deadline) {
                supervisor_->stop(stop_mode::immediate, options_.patience());
                throw error{
                    errc::start_failed,
                    "the private PostgreSQL accepts no connections " +
                        std::to_string(options_.patience().count()) +
                        " ms after it was started; its last words were:" + last_words(log_)};
            }
            std::this_thread::sleep_for(look_interval);
        }
    }

    void stop(stop_mode mode) { supervisor_->stop(mode, options_.patience()); }

    pid_t pid() { return supervisor_->running(); }

    const std::string& directory() const noexcept { return directory_; }

    std::string dsn(std::string_view database) const
    {
        return "host=" + keyword_value(directory_) + " port=5432 user=" + superuser +
               " dbname=" + keyword_value(database);
    }

    void create_database(std::string_view name)
    {
        const std::unique_ptr<PGconn, connection_closer> connection{
            PQconnectdb(dsn(superuser).c_str())};
        const auto refuse = [&] {
            throw error{
                errc::statement_failed,
                "the database \"" + std::string{name} +
                    "\" cannot be created: " + PQerrorMessage(connection.get())};
        };
        if (PQstatus(connection.get()) != CONNECTION_OK) refuse();
        char* const identifier = PQescapeIdentifier(connection.get(), name.data(), name.size());
        if (!identifier) refuse();
        const std::string statement = "create database " + std::string{identifier};
        PQfreemem(identifier);
        PGresult* const result = PQexec(connection.get(), statement.c_str());
        const ExecStatusType status = PQresultStatus(result);
        PQclear(result);
        if (status != PGRES_COMMAND_OK) refuse();
    }

private:
    void prepare(const installation& programs, const std::optional<unprivileged_user>& user)
    {
        const int log =
            ::open(log_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
        if (log < 0) unusable(directory_, std::strerror(errno));
        ::close(log);
        data_ = options_.data_directory();
        if (data_.empty())
            data_ = directory_ + "/data";
        else
            make_data_directory(data_ = fs::absolute(data_), user);

        supervisor_plan plan;
        plan.initdb = {programs.initdb, "--pgdata=" + data_, std::string{"--username="} + superuser,
                       "--auth=trust",  "--encoding=UTF8",   "--locale=C",
                       "--no-sync",     "--no-instructions"};
        plan.postgres = {programs.postgres, "-D", data_};
        const auto set = [&plan](std::string_view name, std::string_view value) {
            plan.postgres.emplace_back("-c");
            plan.postgres.push_back(std::string{name} + "=" + std::string{value});
        };
        set("listen_addresses", "");
        set("unix_socket_directories", directory_);
        set("port", "5432");
        set("max_connections", "300");
        // A client that came while it stops and says nothing, since its thread waits for the stop, is
        // waited for as long.
        set("authentication_timeout", "5s");
        set("logging_collector", "off");
        if (programs.statement_statistics) set("shared_preload_libraries", "pg_stat_statements");
        for (const auto& [name, value] : options_.settings()) set(name, value);
        plan.directory = directory_;
        plan.log = log_;
        plan.drop_privileges = user.has_value();
        if (user) {
            plan.uid = user->uid;
            plan.gid = user->gid;
        }
        plan.data_is_temporary = options_.data_directory().empty();
        supervisor_.emplace(plan);
    }

    /// Asked as the caller, who may not be able to look into a directory of another user: then the
    /// server will say what is wrong with it.
    bool has_cluster() const
    {
        std::error_code unreadable;
        return fs::exists(data_ + "/PG_VERSION", unreadable);
    }

    void initialize()
    {
        if (supervisor_->initialize(options_.patience()) == 0) return;
        throw error{
            errc::initialization_failed, "initdb could not make a private PostgreSQL in \"" +
                                             data_ + "\"; its last words were:" + last_words(log_)};
    }

    server_options options_;
    std::string directory_;
    std::string log_;
    std::string data_;
    std::optional<supervisor> supervisor_;
};

server::server(server_options options)
    : implementation_{std::make_unique<implementation>(std::move(options))}
{}

server::~server() = default;

std::string server::dsn() const
{
    return implementation_->dsn(superuser);
}

std::string server::create_database(std::string_view name)
{
    implementation_->create_database(name);
    return implementation_->dsn(name);
}

void server::stop(stop_mode mode)
{
    implementation_->stop(mode);
}

void server::start()
{
    implementation_->start();
}

pid_t server::pid() const
{
    return implementation_->pid();
}

const std::string& server::directory() const noexcept
{
    return implementation_->directory();
}

} // namespace perdure::dev
