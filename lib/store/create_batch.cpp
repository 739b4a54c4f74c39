#include <store/create_batch.hpp>

#include <chrono>
#include <set>
#include <span>
#include <string_view>
#include <utility>

namespace perdure::store {

create_batch::create_batch(store_core& core, std::vector<new_instance> instances)
    : core_{core}, instances_{std::move(instances)}, created_(instances_.size())
{}

batch_limits create_batch::limits()
{
    batch_limits limits;
    limits.resolves = false;    // the keys make a repetition harmless
    limits.losers_again = true; // sent again they find their twin
    limits.patience = std::chrono::seconds{10};
    return limits;
}

std::vector<std::size_t> create_batch::sizes() const
{
    std::vector<std::size_t> sizes;
    for (const new_instance& each : instances_)
        sizes.push_back(each.arguments.size() + each.metadata.size());
    return sizes;
}

pg::pipeline create_batch::build(batch_items items)
{
    std::vector<std::string_view> ids, workflows, queues;
    std::vector<std::span<const std::byte>> arguments, metadata;
    std::vector<boost::uuids::uuid> keys;
    for (const std::size_t item : items) {
        const new_instance& each = instances_[item];
        ids.push_back(each.id);
        workflows.push_back(each.workflow);
        queues.push_back(each.queue);
        arguments.push_back(each.arguments.span());
        metadata.push_back(each.metadata.span());
        keys.push_back(each.start_key);
    }
    pg::pipeline work;
    work.begin();
    work.add(core_.sql.durable_settings);
    work.add(core_.sql.create_instances, ids, workflows, queues, arguments, metadata, keys);
    look_up_ = work.add(core_.sql.look_up_created, ids, keys);
    work.commit();
    core_.add_notification(work, announce(items));
    return work;
}

std::vector<std::size_t> create_batch::confirmed(
    batch_items items, const pg::pipeline_result& results)
{
    for (const auto& [position, instance, run, mine, fresh] :
         results[look_up_].rows<std::int64_t, instance_key, std::int32_t, bool, bool>()) {
        created& made = created_[items[static_cast<std::size_t>(position - 1)]];
        made.instance = instance;
        made.run = run;
        made.status = mine ? created::status::repeated : created::status::already_exists;
        if (mine && fresh) made.status = created::status::created;
    }
    // The same start twice in one batch: the first of the two has created it.
    std::set<instance_key> fresh_ones;
    for (const std::size_t item : items) {
        created& made = created_[item];
        if (made.status != created::status::created) continue;
        if (!fresh_ones.insert(made.instance).second) made.status = created::status::repeated;
    }
    core_.announcements.committed(announce(items));
    return {};
}

pg::pipeline create_batch::build_notification(batch_items items)
{
    pg::pipeline notification;
    core_.add_notification(notification, announce(items));
    return notification;
}

void create_batch::lost(std::size_t) {}

void create_batch::rejected(std::size_t, const std::string& reason)
{
    rejection_ = reason;
}

std::vector<created> create_batch::take()
{
    if (!rejection_.empty()) throw pg::error{pg::errc::server_error, rejection_};
    return std::move(created_);
}

announcement create_batch::announce(batch_items items) const
{
    announcement what;
    for (const std::size_t item : items) what.add_workflow_queue(instances_[item].queue);
    return what;
}

} // namespace perdure::store
