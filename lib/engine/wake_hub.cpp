#include <engine/wake_hub.hpp>

#include <algorithm>
#include <utility>

namespace perdure {

wake_hub::wake_hub(std::string self, std::chrono::milliseconds poll_interval)
    : self_{std::move(self)}, poll_interval_{poll_interval}
{}

wake_hub::registration::registration(std::vector<wake_flag*>& list, wake_flag& flag)
    : list_{&list}, flag_{&flag}
{
    list.push_back(&flag);
}

wake_hub::registration::registration(registration&& other) noexcept
    : list_{std::exchange(other.list_, nullptr)}, flag_{other.flag_}
{}

wake_hub::registration& wake_hub::registration::operator=(registration&& other) noexcept
{
    std::swap(list_, other.list_);
    std::swap(flag_, other.flag_);
    return *this;
}

wake_hub::registration::~registration()
{
    if (list_) std::erase(*list_, flag_);
}

wake_hub::registration wake_hub::watch(task_kind kind, const std::string& queue, wake_flag& flag)
{
    return registration{queues(kind)[queue], flag};
}

wake_hub::registration wake_hub::watch(store::instance_key instance, wake_flag& flag)
{
    forget_empty();
    return registration{instances_[instance], flag};
}

void wake_hub::forget_empty()
{
    // Lists of instances nobody awaits any more are dropped here, in passing, rather than by each
    // registration.
    if (instances_.size() < 2 * forget_at_) return;
    std::erase_if(instances_, [](const auto& entry) { return entry.second.empty(); });
    forget_at_ = std::max<std::size_t>(64, instances_.size());
}

std::optional<std::string> wake_hub::lead(const store::announcement& what)
{
    if (path_ == notification_path::off) return std::nullopt;
    store::announcement signed_announcement = what;
    signed_announcement.from = self_;
    return store::encode(signed_announcement);
}

void wake_hub::committed(const store::announcement& what)
{
    deliver(what);
}

void wake_hub::troubled(std::string_view what, const pg::error& cause)
{
    if (on_trouble_) on_trouble_(what, cause);
}

void wake_hub::on_trouble(std::function<void(std::string_view, const pg::error&)> handler)
{
    on_trouble_ = std::move(handler);
}

void wake_hub::notified(std::string_view payload)
{
    const std::optional<store::announcement> what = store::decode_announcement(payload);
    if (!what) return wake_everybody();
    if (what->from == self_) return; // already delivered when its commit was confirmed
    deliver(*what);
}

void wake_hub::deliver(const store::announcement& what)
{
    if (what.everything) return wake_everybody();
    for (const store::announced_queue& queue : what.workflow_queues)
        deliver(task_kind::workflow, queue);
    for (const store::announced_queue& queue : what.activity_queues)
        deliver(task_kind::activity, queue);
    for (const store::announced_queue& queue : what.request_queues)
        deliver(task_kind::request, queue);
    for (const store::instance_key instance : what.finished) {
        const auto found = instances_.find(instance);
        if (found == instances_.end()) continue;
        for (wake_flag* flag : found->second) flag->raise();
    }
}

void wake_hub::deliver(task_kind kind, const store::announced_queue& queue)
{
    const auto found = queues(kind).find(queue.queue);
    if (found == queues(kind).end()) return;
    for (wake_flag* flag : found->second) {
        if (queue.due)
            flag->raise_at(clock_.to_steady(*queue.due));
        else
            flag->raise();
    }
}

void wake_hub::due(task_kind kind, const std::string& queue, timestamp at)
{
    deliver(kind, store::announced_queue{queue, at});
}

void wake_hub::wake_everybody()
{
    for (auto* map : {&workflow_queues_, &activity_queues_, &request_queues_})
        for (auto& [queue, list] : *map)
            for (wake_flag* flag : list) flag->raise();
    wake_waiters();
}

void wake_hub::wake_waiters()
{
    for (auto& [instance, list] : instances_)
        for (wake_flag* flag : list) flag->raise();
}

void wake_hub::set_path(notification_path path)
{
    path_ = path;
    wake_everybody();
}

wake_hub::time_point wake_hub::deadline() const noexcept
{
    if (path_ == notification_path::up) return time_point::max();
    return std::chrono::steady_clock::now() + poll_interval_;
}

std::vector<std::string> wake_hub::watched_queues(task_kind kind) const
{
    std::vector<std::string> watched;
    for (const auto& [queue, list] : queues(kind))
        if (!list.empty()) watched.push_back(queue);
    return watched;
}

std::map<std::string, wake_hub::flags, std::less<>>& wake_hub::queues(task_kind kind) noexcept
{
    switch (kind) {
    case task_kind::workflow: return workflow_queues_;
    case task_kind::activity: return activity_queues_;
    case task_kind::request: break;
    }
    return request_queues_;
}

const std::map<std::string, wake_hub::flags, std::less<>>& wake_hub::queues(
    task_kind kind) const noexcept
{
    switch (kind) {
    case task_kind::workflow: return workflow_queues_;
    case task_kind::activity: return activity_queues_;
    case task_kind::request: break;
    }
    return request_queues_;
}

} // namespace perdure
