// Events as rows.
#pragma once

#include <perdure/store/identifiers.hpp>
#include <perdure/store/tasks.hpp>

#include <perdure/pg/result.hpp>
#include <perdure/workflow/event.hpp>

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace perdure::store {

/// What was read of some instances' events. An event of a type this version of the library does not
/// know makes its instance unreadable, and no other.
template <class Event>
struct events_by_instance
{
    std::map<instance_key, std::vector<Event>> events;
    std::map<instance_key, std::string> unreadable; // why
};

/// Reads rows of (instance, number, type, operation, name, data, at).
events_by_instance<arrived_event> read_inbox(const pg::result& rows);

/// Reads rows of (instance, type, operation, name, data, at, due).
events_by_instance<event> read_histories(const pg::result& rows);

/// Reads rows of (type, operation, name, data, at, due), behind what was read before. Throws
/// pg::error (errc::bad_value) for a type this version of the library does not know.
void append_history(std::vector<event>& history, const pg::result& rows);

} // namespace perdure::store
