#include <engine/wake_hub.hpp>

#include <algorithm>
#include <utility>

namespace perdure {

namespace {

void raise(const std::vector<wakeable*>& flags)
{
    for (wakeable* const each : flags) each->raise();
}

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

/// That it has room again a process says along with something else only.
bool is_worth_a_notification(const store::announcement& what)
{
    return !what.empty() || !what.served.empty() || !what.passed.empty() || !what.joined.empty() ||
           !what.left.empty();
}

/// Whether somebody should look at this queue of workflow tasks now, whoever it is.
bool names_nobody(const store::announcement& what, std::string_view queue)
{
    return std::ranges::any_of(what.workflow_queues, [&](const store::announced_queue& each) {
        return each.queue == queue && !each.due && each.holders.empty();
    });
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

wake_hub::registration wake_hub::watch_telling(wakeable& flag)
{
    return registration{told_, flag};
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
    store::announcement news = what;
    store::announcement left_out = take_known(news);
    const bool known = !what.empty(); // else only the database knows, and perhaps it is nothing
    if (known && news.empty()) return std::nullopt; // others look then anyway
    telling goes;
    goes.leads = leads(what, news, now);
    const bool takes_along = goes.leads && known && says_.rides(now);
    if (takes_along) {
        goes = take_pending();
    } else {
        goes.id = says_.draw_id();
        if (goes.leads && known) {
            goes.what.served = std::exchange(says_.pending().served, {});
            goes.what.free = std::exchange(says_.pending().free, {});
        }
    }
    if (known) {
        goes.since = now;
        says_.commits(now);
    }
    rider made{goes.id, {}, mode_ == notification_mode::transactional};
    // What is under way by itself may say the opposite, and arrive later.
    if (sending_ && !goes.what.free.empty()) says_.pending().free.swap(goes.what.free);
    if (goes.leads) {
        goes.said = goes.what;
        goes.said.add(news);
        made.payload = payload_of(goes.said, goes.id, now);
        goes.news = std::move(news);
        goes.left_out = std::move(left_out);
    }
    telling_.push_back(std::move(goes));
    if (takes_along) says_.boards(made.id);
    return made;
}

/// Whether others are told along with this commit.
bool wake_hub::leads(
    const store::announcement& what, const store::announcement& news, time_point now) const
{
    if (mode_ == notification_mode::transactional) return true;
    if (!says_.may_lead(now)) return false;
    // What waits must not have to wait for a signal that finds nobody.
    if (says_.rides(now)) return !what.empty();
    return !says_.is_urgent(now) && (what.empty() || !served_here(news));
}

void wake_hub::committed(const store::announcement& what, std::optional<store::announcement_id> led)
{
    const time_point now = now_();
    const std::optional<telling> rode = led ? take_telling(*led) : std::nullopt;
    if (rode && rode->since) says_.committed(now, now - *rode->since);
    const bool told_along = led && (!rode || rode->leads);
    if (told_along && rode) told(rode->what, rode->said);
    says_.release(now); // the database answers
    const store::announcement_id id = told_along ? *led : *says_.pending().id;
    for_each_queue(what, [&](task_kind kind, store::announced_queue queue) {
        // Others know nobody who should look first if that is not known of all.
        if (rode && kind == task_kind::workflow && names_nobody(rode->what, queue.queue))
            queue.holders.clear();
        lookouts_.committed(kind, queue, what.since, id, mode_ != notification_mode::none);
    });
    ended(what.finished);
    wake(what.withdrawn);
    raise(told_);
    if (mode_ == notification_mode::none) return;
    if (told_along) told(rode ? rode->news : what, rode ? rode->said : what);
    store::announcement news;
    if (!told_along)
        news = what;
    else if (rode) // who was to look earlier may have looked before this could be seen
        news = rode->left_out;
    take_known(news);
    if (news.empty()) return;
    says_.pending().add(news);
    says_.urge(served_here(news) ? now + time_to_look : now);
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
/// \returns what was left out.
store::announcement wake_hub::take_known(store::announcement& news) const
{
    store::announcement known;
    known.since = news.since;
    const auto take = [this](auto& from, auto& to, task_kind kind) {
        const auto taken = std::ranges::partition(from, [&](const store::announced_queue& each) {
            return !each.due || !lookouts_.is_told({kind, each.queue}, *each.due);
        });
        to.assign(taken.begin(), taken.end());
        from.erase(taken.begin(), taken.end());
    };
    take(news.workflow_queues, known.workflow_queues, task_kind::workflow);
    take(news.activity_queues, known.activity_queues, task_kind::activity);
    return known;
}

/// Others look at those instants of it that were said: where they look now, too, whoever does says
/// what comes next.
void wake_hub::told(const store::announcement& what, const store::announcement& said)
{
    for_each_queue(what, [&](task_kind kind, const store::announced_queue& queue) {
        const auto& queues =
            kind == task_kind::workflow ? said.workflow_queues : said.activity_queues;
        const auto same = std::ranges::find(queues, queue.queue, &store::announced_queue::queue);
        if (queue.due && same != queues.end() && same->due == queue.due)
            lookouts_.told({kind, queue.queue}, *queue.due);
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
    std::optional<time_point> next = says_.next();
    for (const telling& each : telling_)
        if (const auto due = overdue(each); due && (!next || *due < *next)) next = due;
    return next;
}

/// When what goes along with this commit is to be said by itself, if the commit is still under way.
std::optional<wake_hub::time_point> wake_hub::overdue(const telling& rides) const
{
    if (!rides.since || !rides.leads || !is_worth_a_notification(rides.what)) return std::nullopt;
    return says_.overdue(*rides.since);
}

std::optional<std::string> wake_hub::take_payload()
{
    const time_point now = now_();
    for (telling& each : telling_) {
        if (const auto due = overdue(each); !due || *due > now) continue;
        tell_again(each);
        store::announcement rest;
        rest.free = std::move(each.what.free);
        each.what = std::move(rest);
    }
    telling alone = take_pending();
    if (!is_worth_a_notification(alone.what)) {
        says_.pending().free = std::move(alone.what.free);
        return std::nullopt;
    }
    sending_ = alone.id;
    store::announcement said = alone.what;
    telling_.push_back(std::move(alone));
    return payload_of(std::move(said), *sending_, now);
}

wake_hub::telling wake_hub::take_pending()
{
    telling taken;
    taken.held = says_.is_held();
    taken.what = says_.take();
    taken.id = *taken.what.id;
    taken.number = std::exchange(first_pending_, ++last_);
    return taken;
}

/// What others read.
std::string wake_hub::payload_of(
    store::announcement said, store::announcement_id id, time_point now)
{
    says_.led(now);
    said.from = self_;
    said.id = id;
    said.sender_looks = lookouts_.looks_at_once(said);
    return store::encode(said);
}

void wake_hub::sent()
{
    if (const auto alone = std::exchange(sending_, std::nullopt)) {
        const store::announcement said = take_telling(*alone)->what;
        told(said, said);
    }
    raise(told_);
}

void wake_hub::not_sent()
{
    if (const auto alone = std::exchange(sending_, std::nullopt)) tell_again(*take_telling(*alone));
    hold();
}

void wake_hub::not_told(store::announcement_id led)
{
    const std::optional<telling> failed = take_telling(led);
    if (!failed) return;
    const time_point now = now_();
    if (failed->since) says_.failed(now);
    tell_again(*failed);
    if (is_worth_a_notification(failed->what)) {
        if (failed->held)
            says_.hold();
        else
            says_.urge(now);
    }
    raise(told_);
}

std::optional<wake_hub::telling> wake_hub::take_telling(store::announcement_id id)
{
    const auto found = std::ranges::find(telling_, id, &telling::id);
    if (found == telling_.end()) return std::nullopt;
    telling taken = std::move(*found);
    telling_.erase(found);
    says_.alights(id);
    for_each_topic(taken.what.free, [&](const topic& which) { lookouts_.said_free(which); });
    return taken;
}

/// But for what has changed since.
void wake_hub::tell_again(const telling& failed)
{
    store::announcement& says = says_.pending();
    store::announcement again = failed.what;
    again.free.clear(); // costs a place in the order
    again.add(says);
    again.id = says.id;
    says = std::move(again);
    first_pending_ = std::min(first_pending_, failed.number);
}

void wake_hub::hold()
{
    says_.hold();
    raise(told_);
}

bool wake_hub::others_wait() const
{
    return mode_ != notification_mode::none && says_.is_urgent(now_());
}

std::uint64_t wake_hub::to_be_told() const
{
    return others_wait() ? last_ : last_ - 1;
}

bool wake_hub::was_told(std::uint64_t up_to) const
{
    if (others_wait() && first_pending_ <= up_to) return false;
    return std::ranges::none_of(telling_, [up_to](const telling& each) {
        return each.number <= up_to && is_worth_a_notification(each.what);
    });
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
    for_each_topic(
        what.served, [&](const topic& which, const auto& ids) { lookouts_.served(which, ids); });
    for_each_topic(what.passed, [&](const topic& which, const auto& ids) {
        lookouts_.passed(which, sender, ids);
    });
    for_each_topic(what.free, [&](const topic& which) { lookouts_.freed(which, sender); });
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
        raise(found->second);
    }
}

void wake_hub::wake_everybody()
{
    lookouts_.wake_all();
    wake_waiters();
    raise(told_);
}

void wake_hub::wake_waiters()
{
    ends_.missed();
    for (const auto& [instance, list] : instances_) raise(list);
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
