#include <store/signal_batch.hpp>

#include <perdure/pg/error.hpp>

#include <chrono>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

namespace perdure::store {

signal_batch::signal_batch(store_core& core, std::vector<signal_request> signals)
    : core_{core},
      signals_{std::move(signals)},
      statuses_(signals_.size(), signal_status::not_found),
      looked_twice_(signals_.size())
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
    for (const signal_request& each : signals_) sizes.push_back(each.data.size());
    return sizes;
}

pg::pipeline signal_batch::build(batch_items items)
{
    std::vector<std::string_view> ids, names;
    std::vector<std::span<const std::byte>> data;
    std::vector<boost::uuids::uuid> keys;
    for (const std::size_t item : items) {
        const signal_request& each = signals_[item];
        ids.push_back(each.id);
        names.push_back(each.name);
        data.push_back(each.data.span());
        keys.push_back(each.key);
    }
    pg::pipeline work;
    work.begin();
    work.add(core_.sql.durable_settings);
    work.add(core_.sql.lock_signalled, ids);
    delivery_ = work.add(core_.sql.deliver_signals, ids, names, data, keys);
    work.add(core_.sql.wake_workflow_tasks);
    work.commit();
    add_notification(work, items);
    return work;
}

/// Which queues there are to announce, the statement reads itself.
void signal_batch::add_notification(pg::pipeline& work, batch_items items)
{
    const std::optional<std::string> payload = core_.announcements.lead(announcement{});
    if (!payload) return;
    std::vector<std::string_view> ids;
    for (const std::size_t item : items) ids.push_back(signals_[item].id);
    work.add(core_.sql.notify_signalled, core_.channel, *payload, ids);
}

std::vector<std::size_t> signal_batch::confirmed(
    batch_items items, const pg::pipeline_result& results)
{
    announcement what;
    std::vector<std::size_t> again;
    for (const auto& [position, status, queue] :
         results[delivery_].rows<std::int64_t, signal_status, std::optional<std::string>>()) {
        const std::size_t item = items[static_cast<std::size_t>(position - 1)];
        statuses_[item] = status;
        if (status != signal_status::not_found && queue) what.add_workflow_queue(*queue);
        // The lock may have been waited for until the instance had finished and another one had
        // begun, which the waiting statement could not see: a new one can.
        if (status == signal_status::not_found && !looked_twice_[item]) {
            looked_twice_[item] = true;
            again.push_back(item);
        }
    }
    core_.announcements.committed(what);
    return again;
}

pg::pipeline signal_batch::build_notification(batch_items items)
{
    pg::pipeline notification;
    add_notification(notification, items);
    return notification;
}

void signal_batch::lost(std::size_t) {}

void signal_batch::rejected(std::size_t, const std::string& reason)
{
    rejection_ = reason;
}

std::vector<signal_status> signal_batch::take()
{
    if (!rejection_.empty()) throw pg::error{pg::errc::server_error, rejection_};
    return std::move(statuses_);
}

} // namespace perdure::store
