#include <store/create_batch.hpp>

#include <algorithm>
#include <chrono>
#include <optional>
#include <set>
#include <span>
#include <string_view>
#include <utility>

namespace perdure::store {

namespace {

// Each time somebody must have removed what stood in the way, within a millisecond or so.
constexpr unsigned most_tries = 20;

} // namespace

create_batch::create_batch(store_core& core, std::vector<new_instance> instances)
    : batch_operation{core},
      instances_{std::move(instances)},
      created_(instances_.size()),
      tries_(instances_.size())
{}

batch_limits create_batch::limits()
{
    batch_limits limits;
    limits.resolves = false; // the keys make a repetition harmless
    limits.probes = false;   // what is in the way may be a row that nobody sees yet
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
    pg::pipeline work = begin();
    created_now_ =
        work.add(core_.sql.create_instances, ids, workflows, queues, arguments, metadata, keys);
    look_up_.reset();
    // Rarely is anything in the way: it is looked up only behind another try.
    if (std::ranges::any_of(items, [this](std::size_t item) { return tries_[item] != 0; }))
        look_up_ = work.add(core_.sql.look_up_created, ids, keys);
    announcement what = news();
    for (const std::size_t item : items) what.add_workflow_queue(instances_[item].queue);
    // Also when it turns out that an id is taken: asking the database would cost every start.
    commit(work, what);
    return work;
}

std::vector<std::size_t> create_batch::confirmed(
    batch_items items, const pg::pipeline_result& results)
{
    std::set<std::size_t> unanswered{items.begin(), items.end()};
    const auto settle = [&](std::int64_t position, instance_key instance, std::int32_t run,
                            enum created::status status) {
        const std::size_t item = items[static_cast<std::size_t>(position - 1)];
        if (unanswered.erase(item) == 0) return;
        created_[item].instance = instance;
        created_[item].run = run;
        created_[item].status = status;
    };
    for (const auto& [position, instance] :
         results[created_now_].rows<std::int64_t, instance_key>())
        settle(position, instance, 1, created::status::created);
    if (look_up_)
        for (const auto& [position, instance, run, mine] :
             results[*look_up_].rows<std::int64_t, instance_key, std::int32_t, bool>())
            settle(
                position, instance, run,
                mine ? created::status::repeated : created::status::already_exists);
    announcement what = news();
    for (const std::size_t item : items)
        if (!unanswered.contains(item) && created_[item].status != created::status::already_exists)
            what.add_workflow_queue(instances_[item].queue);
    committed(what);
    // It was not looked up yet, or it was removed before: the way is free then, most likely.
    std::vector<std::size_t> again;
    for (const std::size_t item : unanswered)
        if (++tries_[item] < most_tries)
            again.push_back(item);
        else
            rejected(item, "whatever had the id was gone each time that it was looked up");
    return again;
}

void create_batch::rejected(std::size_t item, const std::string& reason)
{
    created_[item].status = created::status::rejected;
    created_[item].reason = reason;
}

} // namespace perdure::store
