// Who of this process looks for tasks, and when: what was announced is looked for by the first in
// the order of its announcement, at once, and by others only if nobody says that it was served.
#pragma once

#include <engine/coalescer.hpp>
#include <engine/low_water_mark.hpp>
#include <engine/ranking.hpp>
#include <engine/topic.hpp>
#include <engine/wake_flag.hpp>
#include <store/database_clock.hpp>

#include <perdure/store/announcement.hpp>
#include <perdure/store/tasks.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace perdure {

class lookouts;

/// One poller's place. It must not outlive the lookouts.
class lookout
{
public:
    using time_point = std::chrono::steady_clock::time_point;

    lookout(const lookout&) = delete;
    lookout& operator=(const lookout&) = delete;
    ~lookout();

    /// It has room for tasks, or has not. Without room it hears of nothing; it must look by itself
    /// when it has room again.
    void room(bool free);

    /// It is about to look: what is announced from here on wakes it again.
    void look();

    /// For each of these queues, which are its own, an instant before which there are no rows.
    std::vector<timestamp> marks(std::span<const std::string> queues) const;

    /// What it saw when it looked: from now on nothing before that need be looked at.
    /// \param due       the earliest row of each queue.
    /// \param looked_at by the database's clock.
    void seen(std::span<const store::queue_due> due, timestamp looked_at);

    /// It has looked, and found all there was: nobody else need look.
    /// \param claimed whether it has claimed something.
    /// \param due     when its queues are to be looked at again.
    void found_all(bool claimed, std::span<const store::queue_due> due);

    /// It has no room, and the instant of `wake_at` has come: others should look.
    void pass_due();

    /// It has looked, has no room any more, and has left something. Others should look.
    void left_some();

private:
    friend class lookouts;
    struct state;
    struct announced
    {
        store::announcement_id id{};
        time_point since;        // the tasks may be claimed
        time_point at;           // this process looks
        bool told = false;       // to others, who rely on each other to look
        std::uint64_t added = 0; // in the order in which it became known
    };
    struct sought
    {
        state* topic;
        announced what;
    };

    void hand_over();
    void forget_until(state& topic, std::optional<timestamp> earliest);
    void tell(state& topic, timestamp due);
    void lower(const state& topic, timestamp to);

    lookout(lookouts& of, wakeable& flag) : of_{&of}, flag_{&flag} {}

    lookouts* of_;
    wakeable* flag_;
    std::vector<state*> topics_;
    std::vector<low_water_mark> marks_; // of each topic
    std::vector<bool> owes_news_;       // of each topic: others do not know what is due next
    std::vector<sought> looking_for_;   // what was announced before it looked
    time_point looked_{};
    timestamp looked_at_{};          // by the database's clock
    std::uint64_t looked_after_ = 0; // what had become known when it looked
    bool room_ = true;
};

/// All pollers of a process. Does no I/O: it is told what was heard, and adds to what the coalescer
/// is going to say.
class lookouts
{
public:
    using time_point = lookout::time_point;

    /// \param self  the name with which the process signs.
    /// \param says  what it announces; must outlive this, as the clock must.
    /// \param now   the time.
    lookouts(
        std::string_view self, coalescer& says, const store::database_clock& clock,
        std::function<time_point()> now);
    ~lookouts();

    /// A place for a poller that looks at these queues, woken by `flag`, which must outlive it.
    std::unique_ptr<lookout> watch(
        task_kind kind, const std::vector<std::string>& queues, wakeable& flag);

    /// The topics that somebody looks at.
    std::vector<topic> watched() const;
    /// Called when `watched` has changed, or others may be gone without a word: to read who is
    /// present.
    void on_change(std::function<void()> handler) { changed_ = std::move(handler); }

    /// Everybody looks once.
    void wake_all();

    /// A task was announced.
    /// \param since        no task of it has an earlier `visible_at`.
    /// \param sender_looks whether whoever announced it looks itself.
    void heard(
        task_kind kind, const store::announced_queue& what, timestamp since,
        store::announcement_id id, member_id sender, bool sender_looks);
    /// This process has committed one.
    /// \param others_hear whether others hear of it, too.
    void committed(
        task_kind kind, const store::announced_queue& what, timestamp since,
        store::announcement_id id, bool others_hear);
    /// The safety poll has found that the earliest task of a queue may be claimed then.
    /// \returns whether this process looks for it now, although nobody has announced anything.
    bool found(const topic& what, timestamp due);
    /// Somebody else has looked for these, and nothing is left.
    void served(const topic& what, std::span<const store::announcement_id> ids);
    /// Somebody else has no room for these.
    void passed(const topic& what, member_id by, std::span<const store::announcement_id> ids);
    /// Somebody else has room again.
    void freed(const topic& what, member_id who);
    /// Others may have heard that this process has room, perhaps after they heard that it has none.
    void said_free(const topic& what);
    void joined(const topic& what, member_id who);
    void left(const topic& what, member_id who);
    /// All that look at a topic, as the database knows them; this process too, or not yet.
    void present(const topic& what, std::vector<member_id> members);
    /// Nobody is known any more: the listener's session has ended.
    void forget_members();

    /// Whether this process looks at all of these at once when they are committed.
    bool looks_at_once(const store::announcement& what) const;
    /// Whether others look at the topic at some instant up to this one anyway, so that this one
    /// need not be announced.
    bool is_told(const topic& what, timestamp due) const;
    /// Others were told of it.
    void told(const topic& what, timestamp due);

private:
    friend class lookout;
    using state = lookout::state;

    state& of(const topic& what);
    state* find(const topic& what);
    void lower_marks(state& where, timestamp to);
    void hear(state& where, store::announcement_id id, unsigned before, time_point since);
    bool may_have_room(const state& where, member_id other) const;
    unsigned holders_before_us(const state& where, std::span<const member_id> holders) const;
    void add(state& where, lookout::announced what);
    void expect(state& where, timestamp due, bool told);
    void pass(state& where, store::announcement_id id);
    void pass_all(state& where);
    void say_served(state& where, store::announcement_id id);
    unsigned before_us(
        const state& where, store::announcement_id id, std::optional<member_id> sender,
        std::span<const member_id> holders = {}) const;
    void schedule(state& where);
    void schedule(lookout& which);
    void changed();
    void suspect();

    member_id self_;
    coalescer& says_;
    const store::database_clock& clock_;
    std::function<time_point()> now_;
    std::function<void()> changed_;
    std::uint64_t additions_ = 0;
    time_point suspected_{};
    std::map<topic, std::unique_ptr<state>> topics_;
};

} // namespace perdure
