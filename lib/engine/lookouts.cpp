#include <engine/lookout_state.hpp>

#include <algorithm>
#include <utility>

namespace perdure {

namespace {

using time_point = std::chrono::steady_clock::time_point;

/// How long somebody who had no room is asked last.
constexpr std::chrono::seconds full_for{30};

/// Between two looks at who is still there.
constexpr std::chrono::seconds time_between_suspicions{1};

/// An instant is announced by many, in other words: it has one number for all of them.
store::announcement_id number_of(timestamp due) noexcept
{
    const auto count = static_cast<std::uint64_t>(due.time_since_epoch().count());
    return store::announcement_id{static_cast<std::uint32_t>(count ^ (count >> 32))};
}

time_point later(time_point from, std::chrono::steady_clock::duration wait) noexcept
{
    return from == time_point::max() ? from : from + wait;
}

bool is_among(std::span<const member_id> members, member_id who)
{
    return std::ranges::find(members, who) != members.end();
}

} // namespace

lookouts::lookouts(
    std::string_view self, coalescer& says, const store::database_clock& clock,
    std::function<time_point()> now)
    : self_{member_of(self)}, says_{says}, clock_{clock}, now_{std::move(now)}
{}

lookouts::~lookouts() = default;

std::unique_ptr<lookout> lookouts::watch(
    task_kind kind, const std::vector<std::string>& queues, wakeable& flag)
{
    std::unique_ptr<lookout> place{new lookout{*this, flag}};
    for (const std::string& queue : queues) {
        state& where = of({kind, queue});
        where.watching.push_back(place.get());
        place->topics_.push_back(&where);
    }
    place->marks_.resize(place->topics_.size());
    place->owes_news_.resize(place->topics_.size());
    changed();
    return place;
}

std::vector<topic> lookouts::watched() const
{
    std::vector<topic> names;
    for (const auto& [which, where] : topics_)
        if (!where->watching.empty()) names.push_back(which);
    return names;
}

void lookouts::wake_all()
{
    for (const auto& [which, where] : topics_) {
        lower_marks(*where, timestamp::min()); // whatever was not heard of
        for (lookout* const each : where->watching) each->flag_->raise();
    }
}

void lookouts::heard(
    task_kind kind, const store::announced_queue& what, timestamp since, store::announcement_id id,
    member_id sender, bool sender_looks)
{
    state* const where = find({kind, what.queue});
    if (!where || where->watching.empty()) return;
    lower_marks(*where, since);
    if (what.due) {
        told(where->which, *what.due);
        return expect(*where, *what.due, true);
    }
    if (is_among(what.holders, self_)) return hear(*where, id, 0, now_());
    // A sender who leaves the first look to a holder has his own place in the order.
    const bool in_order = !what.holders.empty() && !sender_looks;
    unsigned before =
        before_us(*where, id, in_order ? std::nullopt : std::optional{sender}, what.holders);
    if (sender_looks && !is_among(what.holders, sender)) ++before;
    hear(*where, id, before, now_());
}

/// \param before how many should look before this process.
/// \param since  when that was first said.
void lookouts::hear(state& where, store::announcement_id id, unsigned before, time_point since)
{
    const time_point at = later(since, patience_behind(before));
    if (where.has_room()) return add(where, {id, since, at});
    if (at <= now_()) {
        std::erase_if(
            where.waiting, [id](const lookout::announced& each) { return each.id == id; });
        pass(where, id);
    } else if (const auto known = std::ranges::find(where.waiting, id, &lookout::announced::id);
               known != where.waiting.end()) {
        add(where, {id, since, at}); // to be passed earlier
    }
}

void lookouts::committed(
    task_kind kind, const store::announced_queue& what, timestamp since, store::announcement_id id,
    bool others_hear)
{
    state* const where = find({kind, what.queue});
    if (!where || where->watching.empty()) return;
    lower_marks(*where, since);
    if (what.due) {
        // All look by then anyway, and whoever does says what comes next.
        if (!is_told(where->which, *what.due)) expect(*where, *what.due, others_hear);
        return;
    }
    if (!where->has_room()) return;
    const time_point now = now_();
    unsigned before = 0; // who commits looks at once, unless somebody has the live coroutine
    if (holders_before_us(*where, what.holders) != 0)
        before = before_us(*where, id, std::nullopt, what.holders);
    add(*where, {id, now, later(now, patience_behind(before))});
}

/// One, if somebody else has the live coroutines of what is to be claimed, and room: stickiness is
/// but a place in the order, since any worker can replay.
unsigned lookouts::holders_before_us(const state& where, std::span<const member_id> holders) const
{
    if (is_among(holders, self_)) return 0;
    return std::ranges::any_of(holders, [&](member_id each) {
        return is_among(where.others, each) && may_have_room(where, each);
    });
}

bool lookouts::may_have_room(const state& where, member_id other) const
{
    const auto full = where.without_room.find(other);
    return full == where.without_room.end() || full->second <= now_();
}

bool lookouts::found(const topic& what, timestamp due)
{
    state* const where = find(what);
    if (!where || where->watching.empty()) return false;
    lower_marks(*where, due);
    const time_point at = clock_.to_steady(due);
    if (at > now_()) {
        expect(*where, due, false);
        return false;
    }
    if (!where->has_room()) return false;
    const bool unheard =
        std::ranges::none_of(where->waiting, [now = now_()](const lookout::announced& each) {
            return each.since <= now;
        });
    add(*where, {number_of(due), at, at});
    return unheard;
}

void lookouts::served(const topic& what, std::span<const store::announcement_id> ids)
{
    state* const where = find(what);
    if (!where) return;
    std::erase_if(where->waiting, [&](const lookout::announced& each) {
        return std::ranges::find(ids, each.id) != ids.end();
    });
    schedule(*where);
}

void lookouts::passed(const topic& what, member_id by, std::span<const store::announcement_id> ids)
{
    state* const where = find(what);
    if (!where || where->watching.empty()) return;
    where->without_room[by] = now_() + full_for;
    for (const store::announcement_id id : ids) {
        // How long those have had who come before, and may be dead, is not given them again.
        const auto known = std::ranges::find(where->waiting, id, &lookout::announced::id);
        const time_point since = known == where->waiting.end() ? now_() : known->since;
        // Nor was heard, perhaps, how early its tasks are.
        if (known == where->waiting.end()) lower_marks(*where, timestamp::min());
        hear(*where, id, before_us(*where, id, by), since);
    }
}

void lookouts::freed(const topic& what, member_id who)
{
    if (state* const where = find(what)) where->without_room.erase(who);
}

void lookouts::said_free(const topic& what)
{
    if (state* const where = find(what)) where->asked_last_until = {};
}

void lookouts::joined(const topic& what, member_id who)
{
    state* const where = find(what);
    if (!where || who == self_) return;
    if (!is_among(where->others, who)) where->others.push_back(who);
    where->without_room.erase(who);
    where->asked_last_until = {}; // it does not know
}

void lookouts::left(const topic& what, member_id who)
{
    state* const where = find(what);
    if (!where) return;
    std::erase(where->others, who);
    where->without_room.erase(who);
}

/// Reads who is present, unless that was read just now.
void lookouts::suspect()
{
    const time_point now = now_();
    if (now < suspected_ + time_between_suspicions) return;
    suspected_ = now;
    if (changed_) changed_();
}

void lookouts::present(const topic& what, std::vector<member_id> members)
{
    state& where = of(what);
    std::erase(members, self_);
    std::ranges::sort(members);
    const auto doubles = std::ranges::unique(members);
    members.erase(doubles.begin(), doubles.end());
    std::vector<member_id> known = where.others;
    std::ranges::sort(known);
    if (!std::ranges::includes(known, members)) where.asked_last_until = {}; // they do not know
    where.others = std::move(members);
    std::erase_if(
        where.without_room, [&](const auto& each) { return !is_among(where.others, each.first); });
    if (where.watching.empty() || std::exchange(where.announced_presence, true)) return;
    where.asked_last_until = {}; // who joins is taken to have room
    says_.pending().add_joined(where.name);
    says_.urge(now_());
}

void lookouts::forget_members()
{
    for (const auto& [which, where] : topics_) {
        where->others.clear();
        where->without_room.clear();
        where->told.reset();
        where->announced_presence = false;
    }
}

bool lookouts::looks_at_once(const store::announcement& what) const
{
    const auto looks = [this](task_kind kind, const store::announced_queue& queue) {
        if (queue.due) return true; // ranked for itself
        const auto found = topics_.find(topic{kind, queue.queue});
        return found != topics_.end() && found->second->has_room() &&
               holders_before_us(*found->second, queue.holders) == 0;
    };
    bool all = !what.workflow_queues.empty() || !what.activity_queues.empty();
    for (const auto& each : what.workflow_queues) all = all && looks(task_kind::workflow, each);
    for (const auto& each : what.activity_queues) all = all && looks(task_kind::activity, each);
    return all;
}

/// What was committed here and looked for here before others were told of it need not be told.
void lookouts::say_served(state& where, store::announcement_id id)
{
    store::announcement& says = says_.pending();
    const bool again =
        std::ranges::find(where.waiting, id, &lookout::announced::id) != where.waiting.end();
    if (again) return;               // announced once more, under the same number
    if (says_.is_riding(id)) return; // so is what it goes along with, as soon as that is committed
    if (id == says.id) {
        auto& queues =
            where.which.kind == task_kind::workflow ? says.workflow_queues : says.activity_queues;
        std::erase_if(queues, [&](const store::announced_queue& each) {
            return each.queue == where.which.queue && !each.due;
        });
        return;
    }
    if (where.others.empty()) return;
    says.add_served(where.name, id);
}

bool lookouts::is_told(const topic& what, timestamp due) const
{
    const auto found = topics_.find(what);
    if (found == topics_.end() || !found->second->told) return false;
    const timestamp told = *found->second->told;
    return told <= due && clock_.to_steady(told) > now_();
}

void lookouts::told(const topic& what, timestamp due)
{
    state& where = of(what);
    if (where.told && *where.told <= due && clock_.to_steady(*where.told) > now_()) return;
    where.told = due;
}

lookouts::state& lookouts::of(const topic& what)
{
    auto& where = topics_[what];
    if (!where) where = std::make_unique<state>(what);
    return *where;
}

lookouts::state* lookouts::find(const topic& what)
{
    const auto found = topics_.find(what);
    return found == topics_.end() ? nullptr : found->second.get();
}

void lookouts::lower_marks(state& where, timestamp to)
{
    for (lookout* const each : where.watching) each->lower(where, to);
}

/// An instant from which on something may be claimed is looked at in its own order.
void lookouts::expect(state& where, timestamp due, bool told)
{
    const store::announcement_id id = number_of(due);
    const time_point since = clock_.to_steady(due);
    const unsigned before = before_us(where, id, std::nullopt);
    add(where, {id, since, later(since, patience_behind(before)), told});
}

void lookouts::add(state& where, lookout::announced what)
{
    what.added = ++additions_;
    const auto known = std::ranges::find(where.waiting, what.id, &lookout::announced::id);
    if (known != where.waiting.end()) {
        known->since = std::min(known->since, what.since);
        known->at = std::min(known->at, what.at);
        known->told = known->told || what.told;
        known->added = what.added;
    } else {
        where.waiting.push_back(what);
    }
    if (where.waiting.size() > 2 * most_remembered) {
        std::ranges::sort(where.waiting, {}, &lookout::announced::at);
        where.waiting.resize(most_remembered);
    }
    schedule(where);
}

/// This process would look, and has no room. When nobody is known to have any, who gets some looks
/// by himself; but for that each has said once that he has none.
void lookouts::pass(state& where, store::announcement_id id)
{
    const bool anybody = std::ranges::any_of(
        where.others, [&](member_id other) { return may_have_room(where, other); });
    const time_point now = now_();
    if (!anybody && now < where.asked_last_until) return;
    where.asked_last_until = now + full_for;
    says_.pending().add_passed(where.name, id);
    says_.urge(now);
}

/// Gives up what this process was to look for, now that it has no room.
void lookouts::pass_all(state& where)
{
    if (where.has_room()) return;
    const time_point now = now_();
    for (const lookout::announced& each : where.waiting)
        if (each.at <= now) pass(where, each.id);
    std::erase_if(where.waiting, [now](const lookout::announced& each) { return each.at <= now; });
    schedule(where);
}

unsigned lookouts::before_us(
    const state& where, store::announcement_id id, std::optional<member_id> sender,
    std::span<const member_id> holders) const
{
    std::vector<member_id> ahead; // of those who may have room
    for (const member_id other : where.others) {
        if (other == sender) continue; // it does not hear itself
        if (!is_among(holders, other) && may_have_room(where, other)) ahead.push_back(other);
    }
    // Who has said that it has no room comes behind all that have not, with all others who have.
    const bool last = now_() < where.asked_last_until && !where.has_room();
    return holders_before_us(where, holders) +
           (last ? static_cast<unsigned>(ahead.size()) : count_before(self_, ahead, id));
}

void lookouts::schedule(state& where)
{
    for (lookout* const each : where.watching) schedule(*each);
}

/// Who has no room wakes to pass on what nobody else of this process looks for.
void lookouts::schedule(lookout& which)
{
    time_point first = time_point::max();
    for (const state* const topic : which.topics_)
        if (which.room_ || !topic->has_room())
            for (const lookout::announced& each : topic->waiting) first = std::min(first, each.at);
    which.flag_->wake_at(first);
}

void lookouts::changed()
{
    for (const auto& [which, where] : topics_) {
        if (!where->watching.empty() || !std::exchange(where->announced_presence, false)) continue;
        says_.pending().add_left(where->name);
        says_.urge(now_());
    }
    if (changed_) changed_();
}

} // namespace perdure
