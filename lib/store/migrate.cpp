#include <perdure/store/migrate.hpp>

#include <store/migration_files.hpp>

#include <utility>

namespace perdure::store {

pg::migrator make_migrator(std::string schema)
{
    return pg::migrator{migrations::files, std::move(schema), library_version};
}

boost::asio::awaitable<std::vector<pg::applied_migration>> migrate(
    pg::connection& session, std::string schema)
{
    const pg::migrator migrator = make_migrator(std::move(schema));
    std::vector<pg::applied_migration> applied = co_await migrator.up(session);
    co_return applied;
}

} // namespace perdure::store
