#include <store/remove_batch.hpp>

#include <chrono>

namespace perdure::store {

namespace {

// A transaction of this size takes some tens of milliseconds.
constexpr std::int32_t most_instances = 100;
constexpr std::int32_t most_events = 10'000;

} // namespace

remove_batch::remove_batch(store_core& core, std::vector<std::string> ids)
    : batch_operation{core}, ids_{std::move(ids)}
{}

batch_limits remove_batch::limits()
{
    batch_limits limits;
    limits.items = 1;
    limits.resolves = false; // what is gone is gone
    limits.probes = false;   // an id is sent alone anyway
    limits.patience = std::chrono::seconds{10};
    return limits;
}

std::vector<std::size_t> remove_batch::sizes() const
{
    return std::vector<std::size_t>(ids_.size());
}

pg::pipeline remove_batch::build(batch_items items)
{
    pg::pipeline work = begin();
    locked_ = work.add(core_.sql.lock_removable, ids_[items.front()], most_instances);
    work.add(core_.sql.remove_history, most_events);
    gone_ = work.add(core_.sql.remove_instances);
    work.commit();
    return work;
}

std::vector<std::size_t> remove_batch::confirmed(
    batch_items items, const pg::pipeline_result& results)
{
    announcement what;
    for (const auto& [instance] : results[gone_].rows<instance_key>())
        what.finished.push_back(instance);
    committed(what);
    if (results[locked_].get<std::int64_t>(0, 1) == 0) return {};
    return {items.begin(), items.end()}; // there may be more
}

void remove_batch::rejected(std::size_t, const std::string& reason)
{
    rejection_ = reason;
}

} // namespace perdure::store
