// Which instances somebody else has locked.
#pragma once

#include <store/store_core.hpp>

#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace perdure::store {

struct locked_instances
{
    std::set<instance_key> keys;
    std::set<std::string, std::less<>> ids;
};

/// A transaction that asks it of the instances with these keys, and of the active ones of these
/// ids. Waits for nobody and changes nothing.
inline pg::pipeline probe_locks(
    store_core& core, const std::vector<instance_key>& keys,
    const std::vector<std::string_view>& ids)
{
    pg::pipeline question;
    question.begin();
    question.add(core.sql.lease_settings);
    question.add(core.sql.find_locked, keys, ids);
    question.commit();
    return question;
}

/// Reads its answer.
inline locked_instances read_locks(const pg::pipeline_result& results)
{
    constexpr std::size_t find_locked = 2; // its place in the transaction
    locked_instances locked;
    for (auto [key, id] : results[find_locked].rows<instance_key, std::string>()) {
        locked.keys.insert(key);
        locked.ids.insert(std::move(id));
    }
    return locked;
}

} // namespace perdure::store
