// The inside of a store: what its operations share.
#pragma once

#include <store/database_clock.hpp>
#include <store/statements.hpp>

#include <perdure/store/announcement.hpp>
#include <perdure/store/migrate.hpp>

#include <perdure/pg/migrator.hpp>
#include <perdure/pg/pipeline.hpp>
#include <perdure/pg/pool.hpp>

#include <optional>
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

    /// Ends the pipeline's transaction, and adds what notifies of it, if anything does.
    /// \param notify adds the statement: `notify(work, rider)`.
    /// \returns the number that the announcer gave.
    template <class F>
    std::optional<announcement_id> commit(
        pg::pipeline& work, const announcement& what, F notify) const
    {
        const std::optional<announcer::rider> rider = announcements.lead(what);
        const bool along = rider && !rider->payload.empty();
        if (along && rider->within_transaction) notify(work, *rider);
        work.commit();
        if (along && !rider->within_transaction) notify(work, *rider);
        if (!rider) return std::nullopt;
        return rider->id;
    }

    std::optional<announcement_id> commit(pg::pipeline& work, const announcement& what) const
    {
        if (!what.empty())
            return commit(work, what, [this](auto& to, const auto& rider) {
                to.add(sql.notify, channel, rider.payload, !rider.within_transaction);
            });
        work.commit();
        return std::nullopt;
    }

    pg::pool& pool;
    announcer& announcements;
    const std::string channel; // named as the schema
    const statements sql;
    const pg::migrator migrator;
    database_clock clock;
};

} // namespace perdure::store
