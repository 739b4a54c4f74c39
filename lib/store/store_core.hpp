// The inside of a store: what its operations share.
#pragma once

#include <store/database_clock.hpp>
#include <store/statements.hpp>

#include <perdure/store/announcement.hpp>
#include <perdure/store/migrate.hpp>

#include <perdure/pg/migrator.hpp>
#include <perdure/pg/pipeline.hpp>
#include <perdure/pg/pool.hpp>

#include <string>

namespace perdure::store {

class store_core
{
public:
    store_core(pg::pool& connections, std::string schema, announcer& heralds)
        : pool{connections},
          announcements{heralds},
          channel{schema},
          sql{schema},
          migrator{make_migrator(std::move(schema))}
    {}

    /// Adds the notification of what the pipeline commits, behind its commit.
    void add_notification(pg::pipeline& work, const announcement& what)
    {
        if (what.empty()) return;
        const std::optional<std::string> payload = announcements.lead(what);
        if (payload) work.add(sql.notify, channel, *payload);
    }

    pg::pool& pool;
    announcer& announcements;
    const std::string channel; // named as the schema
    const statements sql;
    const pg::migrator migrator;
    database_clock clock;
};

} // namespace perdure::store
