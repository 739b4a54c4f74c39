#include <engine/wake_hub.hpp>

#include <algorithm>
#include <utility>

namespace perdure {

namespace {

template <class F>
void for_each_queue(const store::announcement& what, F f)
{
    for (const store::announced_queue& each : what.workflow_queues) f(task_kind::workflow, each);
    for (const store::announced_queue& each : what.activity_queues) f(task_kind::activity, each);
    for (const store::announced_queue& each : what.request_queues) f(task_kind::request, each);
}

template <class F>
void for_each_topic(const std::vector<store::heard_announcements>& heard, F f)
{
    for (const store::heard_announcements& each : heard)
        if (const auto which = parse_topic(each.topic)) f(*which, each.ids);
}

template <class F>
void for_each_topic(const std::vector<std::string>& names, F f)
{
    for (const std::string& name : names)
        if (const auto which = parse_topic(name)) f(*which);
}

} // namespace

wake_hub::wake_hub(
    std::string self, notification_mode mode, std::chrono::milliseconds poll_interval,
    now_function now)
    : self_{std::move(self)},
      mode_{mode},
      poll_interval_{poll_interval},
      now_{std::move(now)},
      says_{fingerprint(self_)},
      lookouts_{self_, says_, clock_, now_}
{
    if (mode_ == notification_mode::none) path_ = notification_path::off;
}

wake_hub::registration::registration(std::vector<wakeable*>& list, wakeable& flag)
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
    if (!list_) return;
    const auto found = std::ranges::find(*list_, flag_); // one of several of this flag
    if (found != list_->end()) list_->erase(found);
}

bool wake_hub::may_have_ended(store::instance_key instance, recent_ends::mark since) const
{
    return path_ != notification_path::up || ends_.may_hold(instance, since);
}

wake_hub::registration wake_hub::watch(store::instance_key instance, wakeable& flag)
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

std::optional<wake_hub::rider> wake_hub::lead(const store::announcement& what)
{
    if (mode_ == notification_mode::none) return std::nullopt;
    const time_point now = now_();
    if (mode_ == notification_mode::coalesced && !says_.may_lead(now)) return std::nullopt;
    store::announcement goes = worth_telling(what);
    if (goes.empty() && !what.empty()) return std::nullopt; // others look then anyway
    if (served_here(goes)) return std::nullopt;
    goes.from = self_;
    goes.id = says_.draw_id();
    goes.sender_looks = lookouts_.looks_at_once(goes);
    goes.served = std::exchange(says_.pending().served, {});
    goes.free = std::exchange(says_.pending().free, {});
    says_.led(now);
    return rider{*goes.id, store::encode(goes), mode_ == notification_mode::transactional};
}

void wake_hub::committed(const store::announcement& what, std::optional<store::announcement_id> led)
{
    says_.release(now_()); // the database answers
    const store::announcement_id id = led.value_or(*says_.pending().id);
    for_each_queue(what, [&](task_kind kind, const store::announced_queue& queue) {
        lookouts_.committed(kind, queue, what.since, id);
    });
    ended(what.finished);
    wake(what.withdrawn);
    if (led) told(what);
    if (led || mode_ == notification_mode::none) return;
    const store::announcement news = worth_telling(what);
    if (news.empty()) return;
    says_.pending().add(news);
    const time_point now = now_();
    says_.urge(served_here(news) ? now + coalescer::interval : now);
}

/// Whether this process looks for all of it at once: most likely nobody else need hear of it. Who
/// waits for an instance must, without delay.
bool wake_hub::served_here(const store::announcement& what) const
{
    const auto is_later = [](const store::announced_queue& each) { return each.due.has_value(); };
    if (std::ranges::any_of(what.workflow_queues, is_later) ||
        std::ranges::any_of(what.activity_queues, is_later))
        return false; // which others look for in an order of its own
    return mode_ == notification_mode::coalesced && what.finished.empty() &&
           what.withdrawn.empty() && lookouts_.looks_at_once(what);
}

/// Leaves out the instants at which others look anyway, or before which they do.
store::announcement wake_hub::worth_telling(const store::announcement& what) const
{
    store::announcement news = what;
    const auto known = [this](task_kind kind) {
        return [this, kind](const store::announced_queue& each) {
            return each.due && lookouts_.is_told({kind, each.queue}, *each.due);
        };
    };
    std::erase_if(news.workflow_queues, known(task_kind::workflow));
    std::erase_if(news.activity_queues, known(task_kind::activity));
    return news;
}

void wake_hub::told(const store::announcement& what)
{
    for_each_queue(what, [this](task_kind kind, const store::announced_queue& queue) {
        if (queue.due) lookouts_.told({kind, queue.queue}, *queue.due);
    });
}

void wake_hub::troubled(std::string_view what, const pg::error& cause)
{
    if (on_trouble_) on_trouble_(what, cause);
}

void wake_hub::on_trouble(std::function<void(std::string_view, const pg::error&)> handler)
{
    on_trouble_ = std::move(handler);
}

std::optional<wake_hub::time_point> wake_hub::next_notification() const
{
    if (mode_ == notification_mode::none) return std::nullopt;
    return says_.next();
}

std::optional<std::string> wake_hub::take_payload()
{
    store::announcement goes = says_.take();
    if (goes.empty() && goes.served.empty() && goes.passed.empty() && goes.joined.empty() &&
        goes.left.empty()) {
        says_.pending().free = std::move(goes.free);
        return std::nullopt;
    }
    says_.led(now_());
    goes.from = self_;
    goes.sender_looks = lookouts_.looks_at_once(goes);
    sending_ = goes;
    return store::encode(goes);
}

void wake_hub::sent()
{
    told(sending_);
    sending_ = {};
}

void wake_hub::not_sent()
{
    says_.pending().add(sending_);
    sending_ = {};
    says_.hold();
}

void wake_hub::notified(std::string_view payload)
{
    const std::optional<store::announcement> what = store::decode_announcement(payload);
    if (!what) return wake_everybody();
    if (what->from == self_) return; // already delivered when its commit was confirmed
    announced(*what, what->id.value_or(store::announcement_id{fingerprint(payload)}));
}

void wake_hub::announced(const store::announcement& what, store::announcement_id id)
{
    if (what.everything) return wake_everybody();
    const member_id sender = member_of(what.from);
    for_each_topic(what.joined, [&](const topic& which) { lookouts_.joined(which, sender); });
    for_each_topic(what.left, [&](const topic& which) { lookouts_.left(which, sender); });
    for_each_topic(what.free, [&](const topic& which) { lookouts_.freed(which, sender); });
    for_each_topic(
        what.served, [&](const topic& which, const auto& ids) { lookouts_.served(which, ids); });
    for_each_topic(what.passed, [&](const topic& which, const auto& ids) {
        lookouts_.passed(which, sender, ids);
    });
    for_each_queue(what, [&](task_kind kind, const store::announced_queue& queue) {
        lookouts_.heard(kind, queue, what.since, id, sender, what.sender_looks);
    });
    ended(what.finished);
    wake(what.withdrawn);
}

void wake_hub::ended(const std::vector<store::instance_key>& instances)
{
    for (const store::instance_key instance : instances) ends_.heard(instance);
    wake(instances);
}

void wake_hub::wake(const std::vector<store::instance_key>& instances)
{
    for (const store::instance_key instance : instances) {
        const auto found = instances_.find(instance);
        if (found == instances_.end()) continue;
        for (wakeable* flag : found->second) flag->raise();
    }
}

void wake_hub::wake_everybody()
{
    lookouts_.wake_all();
    wake_waiters();
}

void wake_hub::wake_waiters()
{
    ends_.missed();
    for (auto& [instance, list] : instances_)
        for (wakeable* flag : list) flag->raise();
}

void wake_hub::observe_clock(timestamp now)
{
    const time_point here = now_();
    const bool set_back =
        clock_.known() && clock_.to_steady(now) + store::database_clock::leeway < here;
    clock_.observe(now, here);
    if (set_back) wake_everybody();
}

void wake_hub::set_path(notification_path path)
{
    path_ = path;
    if (path != notification_path::up) lookouts_.forget_members();
    wake_everybody();
}

wake_hub::time_point wake_hub::deadline() const
{
    if (path_ == notification_path::up) return time_point::max();
    return now_() + poll_interval_;
}

} // namespace perdure
