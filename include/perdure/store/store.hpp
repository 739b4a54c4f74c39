// The durable task protocol: every statement of the library, behind typed operations on batches.
#pragma once

#include <perdure/config.hpp>
#include <perdure/store/types.hpp>

#include <perdure/pg/pipeline.hpp>
#include <perdure/pg/pool.hpp>
#include <perdure/pg/result.hpp>
#include <perdure/pg/statement.hpp>
#include <perdure/pg/transaction.hpp>

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace perdure::store {

class store_core;

/// The earliest instant at which something of a queue may be claimed; see
/// `store::safety_statement`.
struct due_queue
{
    bool activities = false; ///< else workflow tasks
    std::string queue;
    timestamp visible_at{};
};

/// Somebody who listens and looks for tasks: shown by a shared advisory lock with these two keys,
/// which the listener's session holds.
struct present_member
{
    std::int32_t topic = 0;  ///< what it looks at; its own choice of a number
    std::int32_t member = 0; ///< who it is; likewise
};

/// What `store::safety_statement` read.
struct safety_report
{
    timestamp now{};       ///< the database's clock
    bool requests = false; ///< whether any wait to be delivered
    std::vector<due_queue> queues;
    std::vector<present_member> members; ///< this session's, too, if it held its locks before
};

/// Reads the rows of `store::safety_statement`. Throws pg::error (errc::bad_value) for others.
PERDURE_DECL safety_report read_safety(const pg::result& rows);

/** Instances, their histories and their tasks in one schema of a database.
 *
 *  Every operation takes a batch; a batch of one is no special case. Results are in the order of
 *  the arguments. An operation is one round trip while nothing is in its way. The batch is the unit
 *  of commit, the item is the unit of failure: an item that lost its lease, that the server refuses
 *  or that is locked by a stranger is set apart, and the others are committed without it. What
 * takes `answers` hears of each item as soon as it is settled; what returns a vector waits for all.
 *
 *  Nothing is believed before its commit is confirmed. When the connection is lost in between, the
 *  outcome is found out on another one.
 *
 *  Errors, where nothing else is said, are those of pg::pool::acquire and pg::connection::run. The
 *  operations that report work (`complete`, `release`, `forward`) do not throw while the database cannot be
 *  reached, is starting, or has no resources left, nor while a stranger's lock is in the way: they
 *  go on trying, less and less often, at most every second, until they come through, are cancelled,
 *  or the pool is closed. Reading takes at most 30 s.
 *
 *  Cancellation ends an operation with `boost::asio::error::operation_aborted`; what it was about
 *  to change may or may not be changed then.
 *
 *  Thread safety: none; all of it runs on the pool's executor. The pool and the announcer must
 *  outlive the store and its operations, the store its operations.
 */
class PERDURE_DECL store
{
public:
    /// Does no I/O.
    /// \param schema the PostgreSQL schema that holds the tables, and the name of the channel that
    ///     is notified. Throws pg::error (errc::bad_value) when it cannot be a name.
    store(pg::pool& pool, std::string schema, announcer& announcements);
    store(const store&) = delete;
    store& operator=(const store&) = delete;
    ~store();

    /// Makes sure that the schema is there and fits this library. \throws pg::error
    /// errc::schema_missing, errc::schema_too_new or errc::migration_changed, in one sentence.
    boost::asio::awaitable<void> check_schema();

    /// Creates instances, each with a task that can be claimed at once. Of several starts of one id
    /// exactly one creates it while it is active; a start that repeats a key gives what the first
    /// one gave, also when the instance has finished meanwhile, until it is removed. A lost
    /// connection is repaired by sending the starts again with their keys. Rejected is a start
    /// whose contents the server refuses, and one that something stood in the way of for 10 s.
    /// \throws pg::error errc::commit_unknown, when all others are answered, for those whose outcome
    ///     could not be found out within 10 s; an attempt that is under way then is waited for.
    boost::asio::awaitable<void> create(
        std::vector<new_instance> instances, answers<created> answers);
    /// Likewise.
    boost::asio::awaitable<std::vector<created>> create(std::vector<new_instance> instances);

    /// Claims workflow tasks that are due, with their events. Changes nothing and uses no
    /// transaction id when there is none. Not durable: what is lost with the server is claimed
    /// again.
    boost::asio::awaitable<claimed<workflow_task>> claim_workflow_tasks(claim_request request);

    /// Claims activity tasks that are due, likewise, and counts their attempt.
    boost::asio::awaitable<claimed<activity_task>> claim_activity_tasks(claim_request request);

    /// Events of a run, in order; empty when there are none. Read a part at a time, so that at no
    /// time two copies of a long history are in memory. \throws pg::error errc::bad_value when
    /// a newer version of the library wrote one of them.
    boost::asio::awaitable<std::vector<event>> load_history(
        instance_key instance, std::int32_t run, history_page page = {});

    /// Extends leases, from now. Never waits for a lock; not durable.
    boost::asio::awaitable<std::vector<extension>> extend(
        std::vector<workflow_lease> leases, std::chrono::milliseconds lease);

    /// Extends leases of activities, likewise.
    boost::asio::awaitable<std::vector<extension>> extend(
        std::vector<activity_lease> leases, std::chrono::milliseconds lease);

    /// Stores what workflow tasks came to.
    boost::asio::awaitable<void> complete(
        std::vector<workflow_completion> completions, answers<workflow_completed> answers);
    /// Likewise.
    boost::asio::awaitable<std::vector<workflow_completed>> complete(
        std::vector<workflow_completion> completions);

    /// Stores what activity attempts came to, and delivers results to their workflows. What a
    /// workflow does not want any more is acknowledged and dropped.
    boost::asio::awaitable<void> complete(
        std::vector<activity_completion> completions, answers<activity_completed> answers);
    /// Likewise.
    boost::asio::awaitable<std::vector<activity_completed>> complete(
        std::vector<activity_completion> completions);

    /// Gives workflow tasks back.
    boost::asio::awaitable<std::vector<completion_status>> release(
        std::vector<workflow_release> releases);

    /// Delivers signals to active instances; those of one instance arrive in this order, unless a
    /// stranger's lock sets some of them apart. A lost connection is repaired by sending them again
    /// with their keys. Rejected, and \throws: as `create`.
    boost::asio::awaitable<void> signal(
        std::vector<signal_request> signals, answers<signalled> answers);
    /// Likewise.
    boost::asio::awaitable<std::vector<signalled>> signal(std::vector<signal_request> signals);

    /// Asks active instances to end: each finds an event `cancel_requested` among those that
    /// arrived. A second request is a second event. Otherwise as `signal`.
    boost::asio::awaitable<void> cancel(
        std::vector<cancel_request> requests, answers<signalled> answers);
    /// Likewise.
    boost::asio::awaitable<std::vector<signalled>> cancel(std::vector<cancel_request> requests);

    /// Creates an instance in somebody else's transaction: it is there when that is committed, and
    /// then wakes the workers. Nothing when an active instance has the id; the transaction goes on.
    /// \param within a transaction in the same database; must stay where it is until this returns.
    boost::asio::awaitable<std::optional<instance_key>> create(
        pg::transaction* within, new_instance instance);

    /// Writes a signal down in somebody else's transaction, for `forward`; its key is not used.
    /// False when that sees no active instance of the id; the transaction goes on. Takes no lock
    /// that anybody waits for.
    /// \param within as `create`.
    boost::asio::awaitable<bool> signal(pg::transaction* within, signal_request signal);

    /// Writes a request to end down, likewise.
    boost::asio::awaitable<bool> cancel(pg::transaction* within, cancel_request request);

    /// The oldest requests that wait to be delivered, in order.
    /// \param without ids of instances whose requests are left out.
    /// \param limit most requests.
    /// \param bytes of their data, behind which no more are read. Without a request that reaches it
    ///     and with fewer than the limit there are no more.
    boost::asio::awaitable<std::vector<stored_request>> read_requests(
        std::vector<std::string> without, std::int32_t limit, std::int64_t bytes);

    /// Delivers requests as `signal` does, and deletes them in the same transaction. Several may do
    /// so at once: each request is delivered once. Those to one instance arrive in their order; a
    /// later one stays behind while an earlier one is held up. Goes on trying as `complete` does.
    boost::asio::awaitable<void> forward(
        std::vector<stored_request> requests, answers<forwarded> answers);
    /// Likewise.
    boost::asio::awaitable<std::vector<forwarded>> forward(std::vector<stored_request> requests);

    /// Removes what is left of ids: their finished instances, with histories, keys of signals and
    /// starts, and requests. A few in each transaction, so what an operation that throws has removed stays
    /// removed; meanwhile a history may be read without its beginning. Who waits for the result of
    /// a removed instance is woken. A start or signal that repeats a key from before is a new one.
    /// \throws pg::error errc::server_error when a lock stood in the way for 10 s.
    boost::asio::awaitable<std::vector<removal>> remove(std::vector<std::string> ids);

    /// What is known of the id's active instance or, without one, of the last that finished.
    boost::asio::awaitable<std::optional<instance_state>> state(std::string id);

    /// What is known of an instance.
    boost::asio::awaitable<std::optional<instance_state>> state(instance_key instance);

    /// A page of instances, newest first.
    boost::asio::awaitable<std::vector<instance_state>> list(list_request request);

    /// Events of a run (by default the last) of what `state(id)` finds, in order; empty when there
    /// are none. A page that is shorter than its limit is the last so far. \throws as
    /// `load_history`.
    boost::asio::awaitable<std::vector<event>> history(
        std::string id, std::optional<std::int32_t> run = {}, history_page page = {});

    /// How much there is to do. Takes time in proportion to what is active and pending, not to what
    /// is finished.
    boost::asio::awaitable<statistics> read_statistics();

    /// How instances ended: those of the given that have or were removed, in no order.
    boost::asio::awaitable<std::vector<instance_result>> results(
        std::vector<instance_key> instances);

    /// Notifies others, by itself and at once; not durable. \param payload as `encode` makes it.
    boost::asio::awaitable<void> notify(std::string payload);

    /// For the listener's session: reads whether there are requests, for each queue that has tasks
    /// the earliest instant at which one may be claimed, and who looks at these topics. Cheap,
    /// however many tasks there are. Rows: `read_safety`.
    /// \param topics the numbers, not negative, of what this session looks at: it holds the locks
    ///     that say so from then on, and no others under this member's number.
    pg::pipeline::item safety_statement(
        const std::vector<std::int32_t>& topics, std::int32_t member) const;

private:
    std::unique_ptr<store_core> core_;
};

} // namespace perdure::store
