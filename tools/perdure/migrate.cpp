#include "commands.hpp"
#include "session.hpp"
#include "text.hpp"

#include <perdure/pg/connection.hpp>
#include <perdure/pg/identifier.hpp>
#include <perdure/pg/migrator.hpp>
#include <perdure/pg/result.hpp>
#include <perdure/pg/statement.hpp>
#include <perdure/store/migrate.hpp>

#include <cstdint>
#include <iostream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace perdure::tool {

namespace asio = boost::asio;

namespace {

std::string name_of(const pg::applied_migration& migration)
{
    std::string number = std::to_string(migration.version);
    if (number.size() < 4) number.insert(0, 4 - number.size(), '0');
    return number + "_" + migration.name;
}

/// Throws if something above the number is there to take back, and instances would lose by it.
asio::awaitable<void> refuse_while_active(
    pg::connection& session, pg::migrator& migrator, target where, std::int32_t down_to)
{
    const pg::migration_status status = co_await migrator.status(session);
    if (status.applied.empty() || status.applied.back().version <= down_to) co_return;
    const pg::statement count =
        pg::load_statement("select count(*) from {schema}.instances where ended = 0", where.schema);
    const pg::result answer = co_await session.execute(count);
    const auto active = answer.get<std::int64_t>(0, 0);
    if (active > 0)
        throw std::runtime_error{
            std::to_string(active) + (active == 1 ? " instance is" : " instances are") +
            " active in schema \"" + where.schema +
            "\": nothing was taken back; --force does it all the same"};
}

asio::awaitable<void> migrate_schema(target where, migrate_request what)
{
    pg::connection session = co_await pg::connection::connect(pg::connection_options{where.dsn});
    pg::migrator migrator = store::make_migrator(where.schema);
    if (what.status) {
        const pg::migration_status status = co_await migrator.status(session);
        for (const auto& each : status.applied)
            std::cout << "applied  " << name_of(each) << "  " << to_text(each.applied_at) << '\n';
        for (const std::string& each : status.pending) std::cout << "pending  " << each << '\n';
    } else if (what.down_to) {
        if (!what.force) co_await refuse_while_active(session, migrator, where, *what.down_to);
        const auto taken_back = co_await migrator.down(session, *what.down_to);
        for (const auto& each : taken_back) std::cout << "took back " << name_of(each) << '\n';
        if (taken_back.empty()) std::cout << "there was nothing to take back\n";
    } else {
        const auto applied = co_await migrator.up(session);
        for (const auto& each : applied) std::cout << "applied " << name_of(each) << '\n';
        if (applied.empty()) std::cout << "schema " << where.schema << " is up to date\n";
    }
}

} // namespace

void migrate(const target& where, const migrate_request& what)
{
    run(migrate_schema(where, what));
}

} // namespace perdure::tool
