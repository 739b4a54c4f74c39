// Processes that claim, park, are killed and cut off in virtual time, under random interleavings.
#pragma once

#include <engine/wake_hub.hpp>

#include <algorithm>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace perdure::model {

using namespace std::chrono_literals;
using time_point = std::chrono::steady_clock::time_point;
using duration = std::chrono::steady_clock::duration;

inline constexpr auto never = time_point::max();
inline constexpr auto lease = 10s;
inline const topic eu{task_kind::workflow, "eu"};

class process;

/// The clock, the database, and the network between it and the processes.
class world
{
    std::mt19937 random_;
    std::multimap<time_point, std::function<void()>> events_;

public:
    explicit world(unsigned seed) : random_{seed} {}

    duration between(duration least, duration most)
    {
        return duration{
            std::uniform_int_distribution<duration::rep>{least.count(), most.count()}(random_)};
    }
    bool once_in(int times) { return std::uniform_int_distribution{1, times}(random_) == 1; }
    std::mt19937& random() { return random_; }
    /// Now and then one waits for a lock.
    duration commit_time() { return once_in(30) ? between(1ms, 300ms) : between(50us, 1ms); }
    /// Whether what is asked of the database now is refused.
    bool fails() { return refuses && once_in(10); }

    void in(duration wait, std::function<void()> what)
    {
        events_.emplace(now + wait, std::move(what));
    }

    /// Until this instant.
    void run(time_point until)
    {
        while (!events_.empty() && events_.begin()->first <= until) {
            auto event = events_.extract(events_.begin());
            now = event.key();
            look_who_has_room(); // as it has been until now
            event.mapped()();
            ++steps;
        }
        now = until;
    }

    timestamp there(time_point at) const
    {
        return timestamp{1'900'000'000s} +
               std::chrono::duration_cast<timestamp::duration>(at - time_point{1h});
    }

    struct task
    {
        time_point visible_at;
        time_point waits_since; // somebody could have claimed it
        process* holder = nullptr;
        time_point held_since{};
        bool abandoned = false; // its holder was killed, and had told others when its lease ends
    };

    /// A task is committed, and this is sent with it.
    void commit(time_point visible_at, const std::string& payload)
    {
        tasks.push_back(std::make_unique<task>(task{visible_at, std::max(now, visible_at)}));
        ++committed;
        if (!payload.empty()) notify(payload);
    }

    void notify(const std::string& payload);
    void look_who_has_room();

    /// Who is said to have the live coroutine, alive or not; often nobody.
    std::optional<member_id> some_holder();

    /// The queue's earliest row from the mark on.
    std::optional<timestamp> earliest(timestamp mark = timestamp::min()) const
    {
        std::optional<timestamp> first;
        for (const auto& each : tasks) {
            const timestamp visible_at = there(each->visible_at);
            if (visible_at >= mark && (!first || visible_at < *first)) first = visible_at;
        }
        return first;
    }

    time_point now{1h};
    std::vector<std::unique_ptr<task>> tasks;
    std::vector<std::unique_ptr<process>> processes; // dead ones, too
    bool refuses = false;
    int committed = 0;
    int done = 0;
    int empty_claims = 0;
    int steps = 0;
    duration latest{};
    duration latest_abandoned{}; // from the end of the lease
    int abandoned = 0;
    /// The last instant at which nobody who hears had room.
    time_point no_room_until{};
};

/// One process with a poller, as poller.hpp has it.
class process : public wakeable
{
public:
    process(world& in, const std::string& name, std::size_t slots)
        : world_{in},
          name_{name},
          slots_{slots},
          hub_{name, notification_mode::coalesced, 50ms, [&in] { return in.now; }}
    {
        hub_.clock().observe(in.there(in.now), in.now);
        hub_.on_urge([this] { send(); });
        place_ = hub_.pollers().watch(task_kind::workflow, {"eu"}, *this);
    }
    virtual ~process() = default;

    void connect()
    {
        listens_ = true;
        hub_.set_path(notification_path::up);
        safety();
    }

    void cut_off(duration time)
    {
        if (!alive_ || !listens_) return;
        listens_ = false;
        hub_.set_path(notification_path::down);
        world_.in(time, [this] {
            if (alive_) connect();
        });
    }

    void kill()
    {
        alive_ = listens_ = false;
        for (const auto& each : world_.tasks)
            if (each->holder == this) abandon(*each);
    }

    /// It finishes what it holds, and looks no more.
    void leave()
    {
        leaving_ = true;
        if (parked_) stop_looking();
    }

    void hear(std::string payload)
    {
        const time_point at = std::max(heard_until_, world_.now) + world_.between(1us, 200us);
        heard_until_ = at; // in order
        world_.in(at - world_.now, [this, payload = std::move(payload)] {
            if (listens_) hub_.notified(payload);
        });
    }

    void raise() override
    {
        raised_ = true;
        wake();
    }

    void wake_at(time_point due) override
    {
        due_ = due;
        wake();
    }

    /// Commits a task of its own, for somebody to look for first.
    void commit(time_point visible_at)
    {
        store::announcement what;
        std::optional<timestamp> due;
        if (visible_at > world_.now) due = world_.there(visible_at);
        what.since = world_.there(world_.now);
        what.add_workflow_queue("eu", due, world_.some_holder());
        if (world_.once_in(3)) what.finished.push_back(store::instance_key{0}); // in one batch
        const auto rider = hub_.lead(what);
        world_.in(world_.commit_time(), [this, what, rider, visible_at] {
            if (!alive_) return; // before the commit reached the server
            if (world_.fails()) {
                if (rider) hub_.not_told(rider->id);
                return commit(visible_at);
            }
            world_.commit(visible_at, rider ? rider->payload : std::string{});
            world_.in(world_.between(20us, 200us), [this, what, rider] {
                if (alive_) hub_.committed(what, rider ? std::optional{rider->id} : std::nullopt);
            });
        });
    }

    /// Commits a task that it has claimed already, if it has room.
    void commit_eagerly()
    {
        if (leaving_ || used_ + asked_for_ >= slots_) return commit(world_.now);
        ++used_;
        store::announcement what;
        what.since = world_.there(world_.now);
        what.add_workflow_queue("eu", world_.there(world_.now + lease));
        const auto rider = hub_.lead(what);
        world_.in(world_.commit_time(), [this, what, rider] {
            if (!alive_) return; // before the commit reached the server
            world_.commit(world_.now + lease, rider ? rider->payload : std::string{});
            world::task* const held = world_.tasks.back().get();
            held->holder = this;
            held->held_since = world_.now;
            world_.in(world_.between(20us, 200us), [this, what, rider, held] {
                if (!alive_) return;
                hub_.committed(what, rider ? std::optional{rider->id} : std::nullopt);
                world_.in(world_.between(100us, 150ms), [this, held] { finish(held); });
            });
        });
        if (parked_ && used_ == slots_) look(); // it says so
    }

    void look()
    {
        if (!alive_) return;
        if (leaving_) return stop_looking();
        raised_ = false;
        waits_for_room_ = used_ == slots_;
        parked_ = waits_for_room_;
        if (waits_for_room_) {
            place_->room(false);
            place_->pass_due();
            deadline_ = never;
            return wake();
        }
        asked_for_ = slots_ - used_;
        place_->room(true);
        place_->look();
        timestamp mark = timestamp::min();
        if (hub_.path() == notification_path::up) mark = place_->marks(std::vector{eu.queue})[0];
        world_.in(world_.between(20us, 500us), [this, mark] {
            if (world_.fails())
                refused();
            else
                claim(mark);
        });
    }

    bool alive() const { return alive_; }
    bool listens() const { return listens_; }
    bool looks() const { return alive_ && listens_ && !leaving_; }
    bool has_room() const { return used_ < slots_; }
    const std::string& name() const { return name_; }

private:
    void abandon(world::task& held)
    {
        held.waits_since = held.visible_at;
        held.abandoned = world_.now - held.held_since > 5ms;
        if (held.abandoned) ++world_.abandoned;
    }

    void stop_looking()
    {
        place_.reset();
        parked_ = waits_for_room_ = false;
    }

    /// Others look while it waits.
    void refused()
    {
        if (!alive_) return;
        asked_for_ = 0;
        place_->room(false);
        world_.in(world_.between(1ms, 100ms), [this] { look(); });
    }

    void claim(timestamp mark)
    {
        const std::size_t free = asked_for_;
        std::vector<world::task*> due;
        for (const auto& each : world_.tasks)
            if (each->visible_at <= world_.now && world_.there(each->visible_at) >= mark)
                due.push_back(each.get());
        std::ranges::sort(due, {}, &world::task::visible_at);
        if (due.size() > free) due.resize(free);
        for (world::task* const each : due) {
            const duration waited = world_.now - std::max(each->waits_since, world_.no_room_until);
            world_.latest = std::max(world_.latest, waited);
            if (std::exchange(each->abandoned, false))
                world_.latest_abandoned = std::max(world_.latest_abandoned, waited);
            each->holder = this;
            each->held_since = world_.now;
            each->visible_at = world_.now + lease;
            if (!alive_) abandon(*each); // it asked, and died
        }
        if (due.empty()) ++world_.empty_claims;
        const auto earliest = world_.earliest(mark);
        const timestamp then = world_.there(world_.now);
        world_.in(world_.between(20us, 500us), [this, due, earliest, then, free] {
            if (alive_) claimed(due, earliest, then, free);
        });
    }

    void claimed(
        const std::vector<world::task*>& got, std::optional<timestamp> earliest, timestamp then,
        std::size_t free)
    {
        hub_.clock().observe(then, world_.now);
        asked_for_ = 0;
        used_ += got.size();
        for (world::task* const each : got)
            world_.in(world_.between(100us, world_.once_in(10) ? 150ms : 5ms), [this, each] {
                finish(each);
            });
        const bool more = got.size() == free && earliest && *earliest <= then;
        const std::vector<store::queue_due> due{{"eu", earliest}};
        place_->seen(due, then);
        if (!more)
            place_->found_all(!got.empty(), due);
        else if (used_ == slots_)
            place_->left_some();
        place_->room(used_ < slots_);
        if (leaving_ || got.size() == free) return look();
        parked_ = true;
        deadline_ = hub_.deadline();
        if (earliest && *earliest <= then) deadline_ = world_.now + 5ms;
        wake();
    }

    void finish(world::task* done)
    {
        if (!alive_) return;
        const auto row =
            std::ranges::find(world_.tasks, done, [](const auto& each) { return each.get(); });
        world_.tasks.erase(row);
        ++world_.done;
        --used_;
        store::announcement what;
        what.finished.push_back(store::instance_key{world_.done});
        const auto rider = hub_.lead(what);
        if (rider && !rider->payload.empty()) world_.notify(rider->payload);
        hub_.committed(what, rider ? std::optional{rider->id} : std::nullopt);
        if (waits_for_room_) look();
    }

    void wake()
    {
        if (!parked_) return;
        const time_point at = raised_ ? world_.now : std::min(due_, deadline_);
        if (at == never) return;
        world_.in(std::max(at - world_.now, duration{}), [this] {
            if (parked_ && (raised_ || std::min(due_, deadline_) <= world_.now)) look();
        });
    }

    void send()
    {
        const auto at = hub_.next_notification();
        if (!at) return;
        const duration wait = std::max(*at - world_.now, duration{});
        world_.in(wait + world_.between(20us, 200us), [this] {
            if (!alive_) return;
            const auto now = hub_.next_notification(); // a commit may have taken it along
            if (!now || *now > world_.now) return send();
            const auto payload = hub_.take_payload();
            if (payload && world_.fails()) return hub_.not_sent();
            if (payload) world_.notify(*payload);
            hub_.sent();
            send();
        });
    }

    void safety();

    world& world_;
    std::string name_;
    std::size_t slots_;
    wake_hub hub_;
    std::unique_ptr<lookout> place_;
    std::size_t used_ = 0;
    std::size_t asked_for_ = 0;
    bool alive_ = true;
    bool listens_ = false;
    bool parked_ = false;
    bool waits_for_room_ = false;
    bool leaving_ = false;
    bool raised_ = false;
    time_point due_ = never;
    time_point deadline_ = never;
    time_point heard_until_{};
    int sessions_ = 0;
};

inline void process::safety()
{
    const int session = ++sessions_;
    world_.in(world_.between(50us, 1ms), [this, session] {
        if (!listens_ || session != sessions_) return;
        std::vector<member_id> members;
        for (const auto& each : world_.processes)
            if (each->looks()) members.push_back(member_of(each->name()));
        hub_.pollers().present(eu, std::move(members));
        if (const auto earliest = world_.earliest()) hub_.pollers().found(eu, *earliest);
        world_.in(world_.between(30s, 40s), [this, session] {
            if (listens_ && session == sessions_) safety();
        });
    });
}

inline void world::notify(const std::string& payload)
{
    for (const auto& each : processes)
        if (each->listens()) each->hear(payload);
}

inline std::optional<member_id> world::some_holder()
{
    if (once_in(2)) return std::nullopt;
    const std::size_t which =
        std::uniform_int_distribution<std::size_t>{0, processes.size() - 1}(random_);
    return member_of(processes[which]->name());
}

inline void world::look_who_has_room()
{
    const bool anybody = std::ranges::any_of(
        processes, [](const auto& each) { return each->looks() && each->has_room(); });
    if (!anybody) no_room_until = now;
}

} // namespace perdure::model
