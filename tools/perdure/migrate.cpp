#include "commands.hpp"
#include "session.hpp"
#include "text.hpp"

#include <perdure/pg/connection.hpp>
#include <perdure/pg/migrator.hpp>
#include <perdure/store/migrate.hpp>

#include <iostream>
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

asio::awaitable<void> migrate_schema(target where, migrate_request what)
{
    pg::connection session = co_await pg::connection::connect(pg::connection_options{where.dsn});
    const pg::migrator migrator = store::make_migrator(where.schema);
    if (what.status) {
        const pg::migration_status status = co_await migrator.status(session);
        for (const auto& each : status.applied)
            std::cout << "applied  " << name_of(each) << "  " << to_text(each.applied_at) << '\n';
        for (const std::string& each : status.pending) std::cout << "pending  " << each << '\n';
    } else if (what.down_to) {
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
