#include <perdure/pg/migrator.hpp>

#include <perdure/pg/identifier.hpp>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <exception>
#include <functional>
#include <map>
#include <optional>
#include <ranges>

namespace perdure::pg {

namespace asio = boost::asio;
using clock = std::chrono::steady_clock;

namespace {

std::string sha256(std::string_view text)
{
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned int size = 0;
    if (EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha256(), nullptr) != 1)
        throw std::bad_alloc{};
    constexpr std::string_view digits = "0123456789abcdef";
    std::string hex;
    for (unsigned int i = 0; i < size; ++i) {
        hex += digits[digest[i] >> 4];
        hex += digits[digest[i] & 0xf];
    }
    return hex;
}

/// The value of the comment line `-- keyword: value`, or an empty text.
std::string_view header(std::string_view text, std::string_view keyword)
{
    const std::string mark = "-- " + std::string{keyword} + ":";
    while (!text.empty()) {
        const auto length = std::min(text.find('\n'), text.size());
        std::string_view line = text.substr(0, length);
        text.remove_prefix(std::min(length + 1, text.size()));
        if (!line.starts_with(mark)) continue;
        line.remove_prefix(mark.size());
        const auto first = line.find_first_not_of(" \t");
        const auto last = line.find_last_not_of(" \t\r");
        return first == std::string_view::npos ? std::string_view{}
                                               : line.substr(first, last - first + 1);
    }
    return {};
}

struct file_name
{
    std::int32_t version = 0;
    std::string_view name;
    bool up = false;
};

file_name read_file_name(std::string_view full)
{
    constexpr std::string_view up = ".up.sql";
    constexpr std::string_view down = ".down.sql";
    file_name read;
    std::string_view rest = full;
    read.up = rest.ends_with(up);
    if (read.up || rest.ends_with(down)) {
        rest.remove_suffix(read.up ? up.size() : down.size());
        const auto [next, problem] =
            std::from_chars(rest.data(), rest.data() + rest.size(), read.version);
        rest.remove_prefix(static_cast<std::size_t>(next - rest.data()));
        if (problem == std::errc{} && read.version > 0 && rest.size() > 1 && rest[0] == '_') {
            read.name = rest.substr(1);
            return read;
        }
    }
    throw error{
        errc::bad_value, "the migration file \"" + std::string{full} +
                             "\" is not named like 0001_tables.up.sql or 0001_tables.down.sql"};
}

/// Serializes everybody who migrates this schema. An advisory lock is polled: who waits inside
/// pg_advisory_lock holds a snapshot, and CREATE INDEX CONCURRENTLY waits for that.
const statement& try_lock()
{
    static const statement instance{"select pg_try_advisory_lock(hashtextextended($1, 0))"};
    return instance;
}

const statement& release_lock()
{
    static const statement instance{"select pg_advisory_unlock(hashtextextended($1, 0))"};
    return instance;
}

std::string lock_name(std::string_view schema)
{
    return "perdure migrations of " + std::string{schema};
}

error with_file(const error& e, const std::string& file)
{
    return {
        static_cast<errc>(e.code().value()), "migration " + file + ": " + e.what(),
        e.diagnostics()};
}

/// Whether a file failed because of what others were doing.
bool in_the_way(const error& failure)
{
    return failure.sqlstate() == "55P03" || failure.sqlstate() == "40P01";
}

/// Runs a file, and what is to be recorded of it, in a transaction. When the locks of others are in
/// the way it lets go of what it has, so that they get on, and tries again, for this long.
asio::awaitable<result> run_file(
    connection& session, std::string file, std::string script,
    std::function<asio::awaitable<result>()> record, clock::duration patience)
{
    const auto deadline = clock::now() + patience;
    asio::steady_timer timer{co_await asio::this_coro::executor};
    for (;;) {
        std::optional<error> failure;
        try {
            co_await session.execute_script("begin");
            co_await session.execute_script(script);
            result recorded = co_await record();
            co_await session.execute_script("commit");
            co_return recorded;
        } catch (const error& e) {
            failure = e;
        }
        const bool again = in_the_way(*failure) && clock::now() < deadline;
        try {
            if (session.usable()) co_await session.execute_script("rollback");
        } catch (const error&) { // the file's failure is what is reported
            if (again) throw;
        }
        if (!again) throw with_file(*failure, file);
        timer.expires_after(std::chrono::seconds{1});
        co_await timer.async_wait(asio::use_awaitable);
    }
}

} // namespace

migrator::migrator(std::vector<migration_file> files, std::string schema, library_version version)
    : schema_{std::move(schema)}, version_{version}
{
    quote_identifier(schema_); // refuses what cannot be a name
    std::map<std::int32_t, migration> by_version;
    for (const migration_file& file : files) {
        const file_name read = read_file_name(file.name);
        migration& m = by_version[read.version];
        const bool taken = read.up ? !m.up_file.empty() : m.down.has_value();
        if (taken || (!m.name.empty() && m.name != read.name))
            throw error{
                errc::bad_value, "two migration files have the number of \"" +
                                     std::string{file.name} + "\" and are not its up and down"};
        m.version = read.version;
        m.name = read.name;
        if (!read.up) {
            m.down = substitute_schema(file.text, schema_);
            continue;
        }
        m.up_file = file.name;
        m.up = substitute_schema(file.text, schema_);
        m.checksum = sha256(file.text);
        const std::string_view from = header(file.text, "compatible_from");
        m.compatible_from = from.empty() ? version_.to_string() : library_version{from}.to_string();
    }
    for (auto& [number, m] : by_version) {
        if (number != static_cast<std::int32_t>(migrations_.size()) + 1)
            throw error{
                errc::bad_value, "the migration with number " +
                                     std::to_string(migrations_.size() + 1) + " is missing"};
        if (m.up_file.empty())
            throw error{errc::bad_value, "the migration \"" + m.name + "\" has no up file"};
        migrations_.push_back(std::move(m));
    }
}

asio::awaitable<std::vector<applied_migration>> migrator::up(connection& session) const
{
    return alone(session, apply_pending(session));
}

asio::awaitable<std::vector<applied_migration>> migrator::down(
    connection& session, std::int32_t to_version) const
{
    return alone(session, take_back(session, to_version));
}

/// Does the work under the lock, and without a limit on the server's silence.
asio::awaitable<std::vector<applied_migration>> migrator::alone(
    connection& session, asio::awaitable<std::vector<applied_migration>> work) const
{
    const auto limit = session.response_timeout();
    session.response_timeout(clock::duration::max());
    std::vector<applied_migration> done;
    std::exception_ptr failure;
    bool locked = false;
    try {
        co_await lock(session);
        locked = true;
        done = co_await std::move(work);
    } catch (...) {
        failure = std::current_exception();
    }
    try {
        if (locked && session.usable()) co_await unlock(session);
    } catch (...) {
        // A cancellation refuses everything that is awaited after it, this too. The end of the
        // session releases the lock as well.
        session.close();
        if (!failure) failure = std::current_exception();
    }
    session.response_timeout(limit);
    if (failure) std::rethrow_exception(failure);
    co_return done;
}

asio::awaitable<migration_status> migrator::status(connection& session) const
{
    migration_status s;
    s.applied = co_await read_applied(session);
    for (const migration& m : migrations_)
        if (std::ranges::find(s.applied, m.version, &applied_migration::version) == s.applied.end())
            s.pending.push_back(m.up_file);
    co_return s;
}

std::string migrator::command() const
{
    return "perdure migrate" + (schema_ == "perdure" ? std::string{} : " --schema " + schema_);
}

asio::awaitable<void> migrator::check(connection& session) const
{
    const migration_status s = co_await status(session);
    if (s.applied.empty() && !s.pending.empty())
        throw error{
            errc::schema_missing,
            "schema \"" + schema_ + "\" is not there: run `" + command() + "`"};
    check_applied(s.applied);
    if (!s.pending.empty())
        throw error{
            errc::schema_missing, "schema \"" + schema_ + "\" lacks the migration " +
                                      s.pending.front() + ": run `" + command() + "`"};
}

asio::awaitable<void> migrator::lock(connection& session) const
{
    const auto deadline = clock::now() + lock_timeout_;
    asio::steady_timer timer{co_await asio::this_coro::executor};
    for (;;) {
        const result answer = co_await session.execute(try_lock(), lock_name(schema_));
        if (answer.get<bool>(0, 0)) co_return;
        if (clock::now() >= deadline)
            throw error{
                errc::migration_busy, "another process has been migrating schema \"" + schema_ +
                                          "\" for longer than this one waits"};
        timer.expires_after(std::chrono::milliseconds{100});
        co_await timer.async_wait(asio::use_awaitable);
    }
}

asio::awaitable<void> migrator::unlock(connection& session) const
{
    co_await session.execute(release_lock(), lock_name(schema_));
}

asio::awaitable<void> migrator::create_table(connection& session) const
{
    // Asked first: `if not exists` needs the privilege to create even where nothing is created.
    static const statement find_schema{
        "select exists (select from pg_namespace where nspname = $1)"};
    const result found = co_await session.execute(find_schema, schema_);
    if (!found.get<bool>(0, 0))
        co_await session.execute_script(substitute_schema("create schema {schema}", schema_));
    const std::string script = substitute_schema(
        "create table if not exists {schema}.migrations (\n"
        "    version int primary key,\n"
        "    name text not null,\n"
        "    checksum text not null,\n"
        "    compatible_from text not null,\n"
        "    applied_at timestamptz not null default clock_timestamp()\n"
        ")",
        schema_);
    co_await session.execute_script(script);
}

asio::awaitable<std::vector<applied_migration>> migrator::read_applied(connection& session) const
{
    static const statement find_table{"select to_regclass($1) is not null"};
    const std::string table = quote_identifier(schema_) + ".migrations";
    const result found = co_await session.execute(find_table, table);
    std::vector<applied_migration> applied;
    if (!found.get<bool>(0, 0)) co_return applied;
    const statement read = load_statement(
        "select version, name, checksum, compatible_from, applied_at\n"
        "from {schema}.migrations\n"
        "order by version",
        schema_);
    const result rows = co_await session.execute(read);
    for (auto [version, name, checksum, compatible_from, applied_at] :
         rows.rows<std::int32_t, std::string, std::string, std::string, timestamp>())
        applied.push_back({version, name, checksum, compatible_from, applied_at});
    co_return applied;
}

asio::awaitable<std::vector<applied_migration>> migrator::apply_pending(connection& session) const
{
    std::vector<applied_migration> before = co_await read_applied(session);
    check_applied(before);
    if (before.empty()) co_await create_table(session);
    const statement record = load_statement(
        "insert into {schema}.migrations (version, name, checksum, compatible_from)\n"
        "values ($1, $2, $3, $4)\n"
        "returning applied_at",
        schema_);
    std::vector<applied_migration> applied;
    for (const migration& m : migrations_) {
        if (std::ranges::find(before, m.version, &applied_migration::version) != before.end())
            continue;
        const auto remember = [&] {
            return session.execute(record, m.version, m.name, m.checksum, m.compatible_from);
        };
        const result row = co_await run_file(session, m.up_file, m.up, remember, lock_timeout_);
        applied.push_back(
            {m.version, m.name, m.checksum, m.compatible_from, row.get<timestamp>(0, 0)});
    }
    co_return applied;
}

asio::awaitable<std::vector<applied_migration>> migrator::take_back(
    connection& session, std::int32_t to_version) const
{
    std::vector<applied_migration> applied = co_await read_applied(session);
    check_applied(applied);
    std::vector<applied_migration> taken_back;
    const statement forget =
        load_statement("delete from {schema}.migrations where version = $1", schema_);
    for (const applied_migration& a : applied | std::views::reverse) {
        if (a.version <= to_version) break;
        const auto m = std::ranges::find(migrations_, a.version, &migration::version);
        if (m == migrations_.end() || !m->down)
            throw error{
                errc::bad_value,
                "migration " + std::to_string(a.version) + " (" + a.name + ") has no down file"};
        const auto remove = [&] { return session.execute(forget, a.version); };
        co_await run_file(session, "down of " + m->up_file, *m->down, remove, lock_timeout_);
        taken_back.push_back(a);
    }
    co_return taken_back;
}

void migrator::check_applied(const std::vector<applied_migration>& applied) const
{
    for (const applied_migration& a : applied) {
        if (library_version{a.compatible_from} > version_)
            throw error{
                errc::schema_too_new, "schema \"" + schema_ + "\" needs version " +
                                          a.compatible_from +
                                          " of the library or a newer one (migration " + a.name +
                                          "); this is " + version_.to_string()};
        const auto m = std::ranges::find(migrations_, a.version, &migration::version);
        if (m != migrations_.end() && m->checksum != a.checksum)
            throw error{
                errc::migration_changed, "the migration file " + m->up_file +
                                             " was changed after it was applied to schema \"" +
                                             schema_ +
                                             "\": restore it and put the change into a new file"};
    }
}

} // namespace perdure::pg
