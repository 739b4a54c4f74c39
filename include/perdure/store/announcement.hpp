// What a commit has made worth looking at: built with every change, sent by NOTIFY, decoded by
// whoever waits.
#pragma once

#include <perdure/config.hpp>
#include <perdure/store/identifiers.hpp>

#include <perdure/pg/error.hpp>
#include <perdure/workflow/timestamp.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace perdure::store {

/// A queue that has, or will have, a task.
struct announced_queue
{
    std::string queue;
    std::optional<timestamp> due; ///< when the earliest may be claimed; nothing: now
    /// Those who had the live coroutines of all that may be claimed now, when their last tasks were
    /// completed; they should look first. Empty: not all of them are known.
    std::vector<member_id> holders;
};

/// Tells announcements apart, and ranks those who hear them: a random number.
enum class announcement_id : std::uint32_t
{
};

/// What somebody says of announcements that he heard about one topic. A topic is a kind of tasks,
/// `w`orkflow, `a`ctivity or `r`equest, and a queue, such as `w:eu`.
struct heard_announcements
{
    std::string topic;
    std::vector<announcement_id> ids;
};

/// What changed in one commit, or in several. It says where to look, never what is there: a
/// receiver looks at the database.
struct PERDURE_DECL announcement
{
    std::vector<announced_queue> workflow_queues; ///< each queue at most once
    std::vector<announced_queue> activity_queues; ///< each queue at most once
    std::vector<announced_queue> request_queues;  ///< of requests; the one there is has no name
    /// No task of these queues has an earlier `visible_at`; `timestamp::max()`: there is none,
    /// `timestamp::min()`: it is not known. Whoever adds a queue without an instant sets it.
    timestamp since = timestamp::max();
    std::vector<instance_key> finished;  ///< instances whose last run ended
    std::vector<instance_key> withdrawn; ///< instances that gave up activities
    bool everything = false;             ///< more than fits: everybody looks

    std::string from;                  ///< who sends; set by the announcer
    std::optional<announcement_id> id; ///< set by the announcer
    bool sender_looks = false;         ///< the sender looks at all of these queues itself, at once

    /// Announcements that the sender looked for until nothing was left: nobody else need look.
    std::vector<heard_announcements> served;
    /// Announcements that it cannot look for, since it has no room: the next one should.
    std::vector<heard_announcements> passed;
    std::vector<std::string> free;   ///< topics of which the sender has room again
    std::vector<std::string> joined; ///< topics that the sender looks at from now on
    std::vector<std::string> left;   ///< topics that it does not look at any more

    /// Names a queue of workflow tasks; the earlier of two instants stays.
    /// \param holder who should look first for what may be claimed now, if that is known.
    void add_workflow_queue(
        std::string_view queue, std::optional<timestamp> due = {},
        std::optional<member_id> holder = {});
    /// Names a queue of activity tasks; the earlier of two instants stays.
    void add_activity_queue(std::string_view queue, std::optional<timestamp> due = {});
    /// Says of an announcement that the sender has looked for it.
    void add_served(std::string_view topic, announcement_id which);
    /// Says of an announcement that the sender has no room for it, nor for others.
    void add_passed(std::string_view topic, announcement_id which);
    /// Says that the sender has room: it passes nothing.
    void add_free(std::string_view topic);
    /// Says that the sender looks at a topic: it has not left.
    void add_joined(std::string_view topic);
    /// Says that the sender does not look at a topic any more: it has not joined.
    void add_left(std::string_view topic);
    /// Adds what another one says, which is newer where they contradict each other. Of more
    /// instances than a payload can hold only `everything` is left.
    void add(const announcement& other);
    /// Whether it names no queue and no instance.
    bool empty() const noexcept;
};

/// Longest payload that is sent; PostgreSQL refuses 8,000 bytes.
inline constexpr std::size_t maximum_announcement = 7'900;

/** The payload of a notification: one JSON object, whose members are left out when empty.
 *
 *  | member | is |
 *  |---|---|
 *  | `w` | workflow queues: an object of queue → `null` (now) or microseconds since 1970, UTC |
 *  | `h` | who looks first for what `w` says of now: an object of queue → array of members |
 *  | `a` | activity queues, likewise |
 *  | `r` | requests that wait to be delivered, likewise: `{"":null}` |
 *  | `t` | the earliest `visible_at` that a task of them may have, likewise; missing: not known |
 *  | `f` | an array of the finished instances' keys |
 *  | `c` | an array of the keys of instances that gave up activities |
 *  | `e` | `true`: everybody looks; no other member but `s` |
 *  | `s` | who sent it |
 *  | `o` | its number |
 *  | `q` | `true`: the sender looks itself |
 *  | `d` | what was served: an object of topic → array of numbers |
 *  | `p` | what was passed, likewise |
 *  | `v`, `j`, `l` | arrays of topics: free again, joined, left |
 *
 *  The triggers on the tables of tasks and requests write the first ones. What would be longer
 *  than `maximum_announcement` becomes `e`. A receiver ignores members that it does not know.
 */
PERDURE_DECL std::string encode(const announcement& what);

/// Reads what `encode` or a trigger wrote, ignoring members it does not know. Nothing when it is
/// anything else: everybody should look then.
PERDURE_DECL std::optional<announcement> decode_announcement(std::string_view text);

/// Tells others of commits. The store calls it on its executor; it must outlive the store.
class PERDURE_DECL announcer
{
public:
    virtual ~announcer();

    /// What goes out along with a commit.
    struct rider
    {
        announcement_id id{};
        std::string payload; ///< as `encode` makes it; empty: nothing goes along
        /// Whether it is sent within the transaction, else behind its commit in the same round
        /// trip. In both cases it is delivered only if the commit is.
        bool within_transaction = false;
    };

    /// What to notify along with the commit that is about to be sent.
    /// \param what what the commit changes. Empty for signals: only the database knows their
    ///     instances' queues, and adds them to the payload on its way.
    /// \returns nothing if nobody is to hear of it.
    virtual std::optional<rider> lead(const announcement& what) = 0;

    /// The commit is confirmed: wakes this process, and sees to it that others hear of it, unless
    /// they did along with it. Must not throw.
    /// \param what what it changed; may be empty.
    /// \param led the number that `lead` gave; nothing if it gave none, or if others were not told
    ///     under it.
    virtual void committed(const announcement& what, std::optional<announcement_id> led) = 0;

    /// The commit failed, or its notification did, or it is not known whether: what else went out
    /// along with it others may not have heard. By default that is nothing. Each number that `lead`
    /// gave comes back once, in here or in `committed`, unless the executor is destroyed before.
    /// Must not throw.
    virtual void not_told(announcement_id led);

    /// Something went wrong that the store handles itself: a batch that is sent again, a
    /// notification that could not be sent. By default nobody is told. Must not throw.
    virtual void troubled(std::string_view what, const pg::error& cause);
};

} // namespace perdure::store
