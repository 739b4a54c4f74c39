// What a commit has made worth looking at: built with every change, sent by NOTIFY, decoded by
// whoever waits.
#pragma once

#include <perdure/config.hpp>
#include <perdure/store/identifiers.hpp>

#include <perdure/pg/error.hpp>
#include <perdure/workflow/timestamp.hpp>

#include <cstddef>
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
};

/// What changed in one commit. It says where to look, never what is there: a receiver looks at the
/// database.
struct PERDURE_DECL announcement
{
    std::vector<announced_queue> workflow_queues; ///< each queue at most once
    std::vector<announced_queue> activity_queues; ///< each queue at most once
    std::vector<announced_queue> request_queues; ///< of requests; the one that there is has no name
    std::vector<instance_key> finished;          ///< instances whose last run ended
    bool everything = false;                     ///< more than fits: everybody looks
    std::string from;                            ///< who sends; set by the announcer

    /// Names a queue of workflow tasks; the earlier of two instants stays.
    void add_workflow_queue(std::string_view queue, std::optional<timestamp> due = {});
    /// Names a queue of activity tasks; the earlier of two instants stays.
    void add_activity_queue(std::string_view queue, std::optional<timestamp> due = {});
    /// Whether there is nothing to say.
    bool empty() const noexcept;
};

/// Longest payload that is sent; PostgreSQL refuses 8,000 bytes.
inline constexpr std::size_t maximum_announcement = 7'900;

/** The payload of a notification: one JSON object, whose members are left out when empty.
 *
 *  | member | is |
 *  |---|---|
 *  | `w` | workflow queues: an object of queue → `null` (now) or microseconds since 1970, UTC |
 *  | `a` | activity queues, likewise |
 *  | `r` | requests that wait to be delivered, likewise: `{"":null}` |
 *  | `f` | an array of the finished instances' keys |
 *  | `e` | `true`: everybody looks; no other member but `s` |
 *  | `s` | who sent it |
 *
 *  The triggers on the tables of tasks and requests write the same. What would be longer than
 *  `maximum_announcement` becomes `e`.
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

    /// What to notify along with the commit that is about to be sent. The payload rides behind the
    /// commit in the same round trip, so it is delivered only if the commit is.
    /// \param what what the commit changes. Empty for signals: only the database knows their
    ///     instances' queues, and adds them to the payload on its way.
    /// \returns a payload as `encode` makes it for the store's channel, or nothing to stay silent.
    virtual std::optional<std::string> lead(const announcement& what) = 0;

    /// The commit is confirmed: wakes this process. Must not throw.
    /// \param what what it changed; may be empty.
    virtual void committed(const announcement& what) = 0;

    /// Something went wrong that the store handles itself: a batch that is sent again, a
    /// notification that could not be sent. By default nobody is told. Must not throw.
    virtual void troubled(std::string_view what, const pg::error& cause);
};

} // namespace perdure::store
