// A poller's place: what it is to look for, and what it says when it has looked.
#include <engine/lookout_state.hpp>

#include <algorithm>
#include <utility>

namespace perdure {

lookout::~lookout()
{
    for (state* const topic : topics_) {
        std::erase(topic->watching, this);
        // What it was about to serve others may still look for.
        if (topic->watching.empty()) topic->waiting.clear();
        of_->schedule(*topic); // another poller of this process, without room, passes it on now
    }
    hand_over();
    of_->changed(); // before the next one, so that all of it goes out together
    // Others were not told of what it would have looked for.
    if (!of_->says_.pending().empty()) of_->says_.urge(of_->now_());
}

/// Other pollers of this process look for what this one was looking for.
void lookout::hand_over()
{
    const time_point now = of_->now_();
    std::erase_if(looking_for_, [&](const sought& each) {
        if (!each.topic->has_room()) return false;
        of_->add(*each.topic, {each.what.id, now, now});
        return true;
    });
}

void lookout::room(bool free)
{
    if (std::exchange(room_, free) == free) return;
    if (!free) hand_over(); // it may take a while
    for (state* const topic : topics_) {
        store::announcement& says = of_->says_.pending();
        if (!free) {
            if (!topic->has_room()) std::erase(says.free, topic->name);
            of_->pass_all(*topic);
        } else if (of_->now_() < topic->asked_last_until) {
            says.add_free(topic->name); // goes out with what goes out next
        }
        of_->schedule(*topic);
    }
}

void lookout::look()
{
    const time_point now = looked_ = of_->now_();
    looked_after_ = of_->additions_;
    for (low_water_mark& each : marks_) each.look();
    // Those for which a claim failed may have been served meanwhile.
    if (looking_for_.size() > most_remembered) looking_for_.clear();
    for (state* const topic : topics_) {
        for (const announced& each : topic->waiting)
            if (each.since <= now) looking_for_.push_back({topic, each});
        std::erase_if(topic->waiting, [now](const announced& each) { return each.since <= now; });
        of_->schedule(*topic);
    }
}

std::vector<timestamp> lookout::marks(std::span<const std::string> queues) const
{
    std::vector<timestamp> marks;
    for (const std::string& queue : queues) {
        const auto topic =
            std::ranges::find(topics_, queue, [](const state* each) -> const std::string& {
                return each->which.queue;
            });
        marks.push_back(marks_.at(static_cast<std::size_t>(topic - topics_.begin())).from());
    }
    return marks;
}

void lookout::seen(std::span<const store::queue_due> due, timestamp looked_at)
{
    looked_at_ = looked_at;
    for (std::size_t i = 0; i < topics_.size(); ++i) {
        const auto next = std::ranges::find(due, topics_[i]->which.queue, &store::queue_due::queue);
        if (next == due.end()) continue;
        marks_[i].seen(next->visible_at, looked_at);
    }
}

void lookout::lower(const state& topic, timestamp to)
{
    for (std::size_t i = 0; i < topics_.size(); ++i)
        if (topics_[i] == &topic) marks_[i].lower(to);
}

void lookout::found_all(bool claimed, std::span<const store::queue_due> due)
{
    const auto served = std::exchange(looking_for_, {});
    for (const auto& [topic, what] : served) of_->say_served(*topic, what.id);
    // Whoever comes before may be dead, and is not to be waited for again.
    if (claimed && std::ranges::any_of(served, [this](const sought& each) {
            return each.what.at <= looked_ && each.what.at >= each.what.since + patience_behind(1);
        }))
        of_->suspect();
    // What was found is worked on now: others need not look, and most often hear so along with what
    // comes of it.
    if (claimed && !served.empty() && !of_->says_.pending().served.empty()) {
        time_point at = time_point::max();
        for (const auto& [topic, what] : served)
            at = std::min(at, what.since + silence_towards(topic->others.size()));
        of_->says_.urge(std::max(at, of_->now_()));
    }
    for (std::size_t i = 0; i < topics_.size(); ++i) {
        state* const topic = topics_[i];
        // Others no longer look at the instants that were served, and know nothing of the leases
        // that were just taken.
        if (claimed || std::ranges::any_of(
                           served, [topic](const sought& each) { return each.topic == topic; }))
            owes_news_[i] = true;
        const auto next = std::ranges::find(due, topic->which.queue, &store::queue_due::queue);
        if (next == due.end()) continue;
        forget_until(*topic, next->visible_at);
        if (!next->visible_at) {
            owes_news_[i] = false;
            continue;
        }
        // What was due when it looked, somebody holds: the poller looks again by itself.
        if (*next->visible_at <= looked_at_) continue;
        of_->expect(*topic, *next->visible_at, false);
        if (owes_news_[i]) tell(*topic, *next->visible_at);
        owes_news_[i] = false;
    }
}

/// Others hear of an instant from which on something may be claimed, unless they look by then anyway.
void lookout::tell(state& topic, timestamp due)
{
    if (topic.others.empty() || of_->is_told(topic.which, due)) return;
    store::announcement& says = of_->says_.pending();
    const bool workflows = topic.which.kind == task_kind::workflow;
    const auto& queues = workflows ? says.workflow_queues : says.activity_queues;
    const auto said = std::ranges::find(queues, topic.which.queue, &store::announced_queue::queue);
    if (said != queues.end() && said->due.value_or(due) <= due) return;
    if (workflows)
        says.add_workflow_queue(topic.which.queue, due);
    else
        says.add_activity_queue(topic.which.queue, due);
    of_->expect(topic, due, true);
    of_->says_.urge(of_->now_());
}

/// Leases that were given up, timers that were cancelled: what was due before the earliest row that
/// is there need not be looked for, unless it became known since, or others were told of it.
void lookout::forget_until(state& topic, std::optional<timestamp> earliest)
{
    const auto first = earliest ? of_->clock_.to_steady(*earliest) : time_point::max();
    const auto now = of_->now_();
    std::erase_if(topic.waiting, [&](const announced& each) {
        return !each.told && each.added <= looked_after_ && each.since > now && each.since < first;
    });
    of_->schedule(topic);
}

void lookout::pass_due()
{
    for (state* const topic : topics_) of_->pass_all(*topic);
}

void lookout::left_some()
{
    if (looking_for_.empty()) // found without having been announced
        for (state* const topic : topics_)
            looking_for_.push_back({topic, {of_->says_.draw_id(), {}, {}}});
    room(false); // if another poller of this process has some, that one looks
    for (const auto& [topic, what] : std::exchange(looking_for_, {})) of_->pass(*topic, what.id);
}

} // namespace perdure
