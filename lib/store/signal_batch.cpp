#include <store/signal_batch.hpp>

#include <store/locked_instances.hpp>

#include <chrono>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

namespace perdure::store {

delivery::delivery(signal_request signal)
    : type{event_type::signal_received},
      id{std::move(signal.id)},
      name{std::move(signal.name)},
      data{std::move(signal.data)},
      key{signal.key}
{}

delivery::delivery(cancel_request request)
    : type{event_type::cancel_requested},
      id{std::move(request.id)},
      data{payload::from_text("null")},
      key{request.key}
{}

delivery::delivery(stored_request request)
    : type{request.type},
      id{std::move(request.id)},
      name{std::move(request.name)},
      data{std::move(request.data)},
      key{request.key},
      written_as{request.k}
{}

signal_batch::signal_batch(store_core& core, std::vector<delivery> deliveries)
    : batch_operation{core},
      deliveries_{std::move(deliveries)},
      outcomes_(deliveries_.size()),
      looked_twice_(deliveries_.size())
{}

batch_limits signal_batch::limits()
{
    batch_limits limits;
    limits.resolves = false; // the keys make a repetition harmless
    limits.patience = std::chrono::seconds{10};
    return limits;
}

std::vector<std::size_t> signal_batch::sizes() const
{
    std::vector<std::size_t> sizes;
    for (const delivery& each : deliveries_) sizes.push_back(each.data.size());
    return sizes;
}

pg::pipeline signal_batch::build(batch_items items)
{
    const std::vector<std::string_view> ids = ids_of(items);
    std::vector<std::string_view> types, names;
    std::vector<std::span<const std::byte>> data;
    std::vector<boost::uuids::uuid> keys;
    for (const std::size_t item : items) {
        const delivery& each = deliveries_[item];
        types.push_back(to_string(each.type));
        names.push_back(each.name);
        data.push_back(each.data.span());
        keys.push_back(each.key);
    }
    pg::pipeline work = begin();
    work.add(core_.sql.lock_signalled, ids);
    add_check(work, items);
    delivery_ = work.add(core_.sql.deliver_signals, ids, types, names, data, keys);
    work.add(core_.sql.wake_workflow_tasks);
    add_cleaning(work, items);
    // Which queues there are to announce, the statement reads itself.
    commit(work, news(), [&](pg::pipeline& to, const announcer::rider& rider) {
        to.add(
            core_.sql.notify_signalled, core_.channel, rider.payload, ids,
            !rider.within_transaction);
    });
    return work;
}

void signal_batch::add_check(pg::pipeline&, batch_items) {}

void signal_batch::add_cleaning(pg::pipeline&, batch_items) {}

std::vector<std::size_t> signal_batch::confirmed(
    batch_items items, const pg::pipeline_result& results)
{
    announcement what = news();
    std::vector<std::size_t> again;
    for (const auto& [position, status, queue, holder] :
         results[delivery_]
             .rows<
                 std::int64_t, signal_status, std::optional<std::string>,
                 std::optional<member_id>>()) {
        const std::size_t item = items[static_cast<std::size_t>(position - 1)];
        outcomes_[item].status = status;
        if (status != signal_status::not_found && queue)
            what.add_workflow_queue(*queue, {}, holder);
        // The lock may have been waited for until the instance had finished and another one had
        // begun, which the waiting statement could not see: a new one can.
        if (status == signal_status::not_found && !looked_twice_[item]) {
            looked_twice_[item] = true;
            again.push_back(item);
        }
    }
    committed(what);
    return again;
}

pg::pipeline signal_batch::build_probe(batch_items items)
{
    return probe_locks(core_, {}, ids_of(items));
}

std::vector<bool> signal_batch::probed(batch_items items, const pg::pipeline_result& results)
{
    const locked_instances locked = read_locks(results);
    std::vector<bool> found;
    for (const std::size_t item : items) found.push_back(locked.ids.contains(deliveries_[item].id));
    return found;
}

std::vector<std::string_view> signal_batch::ids_of(batch_items items) const
{
    std::vector<std::string_view> ids;
    for (const std::size_t item : items) ids.push_back(deliveries_[item].id);
    return ids;
}

void signal_batch::rejected(std::size_t item, const std::string& reason)
{
    outcomes_[item].status = signal_status::rejected;
    outcomes_[item].reason = reason;
}

} // namespace perdure::store
