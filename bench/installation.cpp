#include "installation.hpp"

#include "interrupt.hpp"
#include "process.hpp"
#include "statistics.hpp"

#include <perdure/engine/rethrow.hpp>
#include <perdure/pg/connection.hpp>
#include <perdure/store/migrate.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <sys/utsname.h>
#include <unistd.h>

#include <cmath>
#include <fstream>
#include <stdexcept>

namespace bench {

namespace asio = boost::asio;

namespace {

constexpr const char* database = "perdure_bench";
constexpr const char* worker_role = "perdure_bench_worker";
constexpr const char* client_role = "perdure_bench_client";

perdure::dev::server_options server_options_of(const options& how, const server_settings& settings)
{
    perdure::dev::server_options result;
    if (!how.data.empty()) result.data_directory(how.data);
    for (const auto& [name, value] : settings) result.setting(name, value);
    return result;
}

asio::awaitable<void> migrate(std::string dsn)
{
    perdure::pg::connection_options options{std::move(dsn)};
    perdure::pg::connection session = co_await perdure::pg::connection::connect(std::move(options));
    co_await perdure::store::migrate(session, "perdure");
}

void create_role(session& admin, const std::string& name)
{
    if (admin.number("select count(*) from pg_roles where rolname = '" + name + "'") == 0)
        admin.execute("create role " + name + " login");
    admin.execute(
        "grant usage on schema perdure to " + name +
        "; grant select, insert, update, delete on all tables in schema perdure to " + name +
        "; grant execute on all functions in schema perdure to " + name);
}

std::string processor_model()
{
    std::ifstream file{"/proc/cpuinfo"};
    for (std::string line; std::getline(file, line);)
        if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
    return "unknown";
}

} // namespace

installation::installation(const options& how, report& to, const server_settings& settings)
    : server_{server_options_of(how, settings)}
{
    drop_database(); // one that was killed may have left it
    dsn_ = server_.create_database(database);
    admin_.emplace(dsn_);
    try {
        admin_->execute("create extension pg_stat_statements");
        admin_->execute("select pg_stat_statements_reset()");
    } catch (const std::runtime_error& missing) {
        throw std::runtime_error{
            std::string{"the server cannot count statements, pg_stat_statements is missing: "} +
            missing.what()};
    }
    asio::io_context io{1};
    asio::co_spawn(io, migrate(dsn_), perdure::rethrow);
    io.run();
    create_role(*admin_, worker_role);
    create_role(*admin_, client_role);
    describe(how, to);
}

installation::~installation()
{
    // A data directory that was named is left as it was found.
    try {
        admin_.reset();
        drop_database();
    } catch (const std::exception&) { // the server has gone, and perhaps its directory too
    }
}

void installation::drop_database()
{
    session{server_.dsn()}.execute(
        std::string{"drop database if exists "} + database + " with (force)");
}

void installation::describe(const options& how, report& to)
{
    utsname kernel = {};
    ::uname(&kernel);
    to.set("processor", processor_model());
    to.set("kernel", std::string{kernel.sysname} + " " + kernel.release);
    to.set("data directory", how.data.empty() ? std::string{"temporary"} : how.data);
#ifdef NDEBUG
    to.set("build", "release");
#else
    to.set("build", "debug");
#endif
    to.set("mode", how.quick ? "quick: the figures mean little" : "full");
    for (const char* name :
         {"server_version", "fsync", "synchronous_commit", "wal_sync_method", "full_page_writes",
          "shared_buffers", "max_connections", "autovacuum"})
        to.set(name, admin_->text(std::string{"show "} + name));
    to.set("processors", static_cast<double>(::sysconf(_SC_NPROCESSORS_ONLN)));
    to.set("one-row commit, us", commit_microseconds());
}

std::string installation::worker_dsn() const
{
    return dsn_ + " user=" + worker_role;
}

std::string installation::client_dsn() const
{
    return dsn_ + " user=" + client_role;
}

void installation::vacuum()
{
    admin_->execute("vacuum analyze");
}

void installation::empty()
{
    admin_->execute(
        "truncate perdure.instances, perdure.history, perdure.inbox, perdure.idempotency_keys, "
        "perdure.workflow_tasks, perdure.activity_tasks");
}

counters installation::count()
{
    const auto row =
        admin_
            ->rows(
                std::string{"select coalesce(sum(s.calls) filter (where rolname = '"} +
                worker_role + "'), 0), coalesce(sum(s.calls) filter (where rolname = '" +
                client_role + "'), 0), coalesce(sum(s.wal_records) filter (where rolname = '" +
                worker_role +
                "'), 0), pg_snapshot_xmax(pg_current_snapshot()) "
                "from pg_stat_statements s join pg_roles r on r.oid = s.userid")
            .front();
    counters result;
    result.at = std::chrono::steady_clock::now();
    result.worker_statements = std::stod(row[0]);
    result.client_statements = std::stod(row[1]);
    result.worker_wal_records = std::stod(row[2]);
    result.transaction_ids = std::stod(row[3]);
    result.server_seconds = processor_seconds_of_family(server_.pid());
    return result;
}

double installation::commit_microseconds()
{
    using clock = std::chrono::steady_clock;
    admin_->execute("create table commits (n integer)");
    std::vector<double> taken;
    for (int i = 0; i < 50; ++i) {
        const auto begun = clock::now();
        admin_->execute("insert into commits values (1)");
        taken.push_back(std::chrono::duration<double, std::micro>(clock::now() - begun).count());
    }
    admin_->execute("drop table commits");
    return std::round(median(taken));
}

void installation::await_sessions(std::size_t sessions)
{
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{60};
    const std::string query =
        std::string{"select count(*) from pg_stat_activity where usename = '"} + worker_role + "'";
    while (admin_->number(query) < static_cast<double>(sessions)) {
        if (std::chrono::steady_clock::now() > deadline)
            throw std::runtime_error{"the workers do not connect to the server"};
        pause(std::chrono::milliseconds{20});
    }
}

void installation::await_rest()
{
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{60};
    double before = -1.0;
    for (;;) {
        const double now = count().worker_statements;
        if (now == before) return;
        if (std::chrono::steady_clock::now() > deadline)
            throw std::runtime_error{"the workers do not come to rest"};
        before = now;
        pause(std::chrono::milliseconds{300});
    }
}

} // namespace bench
