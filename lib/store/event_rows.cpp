#include <store/event_rows.hpp>

#include <perdure/pg/error.hpp>

#include <utility>

namespace perdure::store {

namespace {

std::string unknown_type(const std::string& type)
{
    return "an event is of type \"" + type +
           "\", which this version of the library does not know: a newer one wrote it";
}

/// Leaves the type to the caller.
event make_event(
    std::int32_t operation, std::string name, const pg::bytes& data, timestamp at,
    std::optional<timestamp> due)
{
    event made;
    made.operation = operation;
    made.name = std::move(name);
    made.data = payload::from_bytes(data);
    made.at = at;
    made.due = due;
    return made;
}

} // namespace

events_by_instance<arrived_event> read_inbox(const pg::result& rows)
{
    events_by_instance<arrived_event> read;
    for (auto [instance, number, type, operation, name, data, at] :
         rows.rows<
             instance_key, std::int64_t, std::string, std::int32_t, std::string, pg::bytes,
             timestamp>()) {
        arrived_event arrived;
        arrived.number = number;
        arrived.event = make_event(operation, std::move(name), data, at, std::nullopt);
        const std::optional<event_type> known = parse_event_type(type);
        if (known)
            arrived.event.type = *known;
        else
            read.unreadable.emplace(instance, unknown_type(type));
        read.events[instance].push_back(std::move(arrived));
    }
    return read;
}

events_by_instance<event> read_histories(const pg::result& rows)
{
    events_by_instance<event> read;
    for (auto [instance, type, operation, name, data, at, due] :
         rows.rows<
             instance_key, std::string, std::int32_t, std::string, pg::bytes, timestamp,
             std::optional<timestamp>>()) {
        event made = make_event(operation, std::move(name), data, at, due);
        const std::optional<event_type> known = parse_event_type(type);
        if (known)
            made.type = *known;
        else
            read.unreadable.emplace(instance, unknown_type(type));
        read.events[instance].push_back(std::move(made));
    }
    return read;
}

void append_history(std::vector<event>& history, const pg::result& rows)
{
    for (auto [type, operation, name, data, at, due] :
         rows.rows<
             std::string, std::int32_t, std::string, pg::bytes, timestamp,
             std::optional<timestamp>>()) {
        const std::optional<event_type> known = parse_event_type(type);
        if (!known) throw pg::error{pg::errc::bad_value, unknown_type(type)};
        history.push_back(make_event(operation, std::move(name), data, at, due));
        history.back().type = *known;
    }
}

} // namespace perdure::store
