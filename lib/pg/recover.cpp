// Brings a session back whose operation was given up half way: does what `salvage` says.
#include <pg/session.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <exception>
#include <stdexcept>
#include <tuple>
#include <utility>

namespace perdure::pg {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using descriptor = asio::posix::stream_descriptor;

namespace {

constexpr std::chrono::milliseconds a_moment{20};

/// Cancels what a server process runs. Process numbers are used again, by this server and, behind
/// an address that moved, by another: so only a process that is as old as the session. And nobody's
/// wait for a synchronous standby is to be cut short: a commit would be visible that no standby
/// has. Only what cannot commit by itself, has written nothing, or waits for no standby qualifies.
const statement& cancel_statement()
{
    static const statement instance{
        "select pg_cancel_backend(pid)\n"
        "from pg_stat_activity\n"
        "where pid = $1\n"
        "  and abs(extract(epoch from clock_timestamp() - backend_start) - $2) < 15\n"
        "  and ($3 or backend_xid is null or current_setting('synchronous_standby_names') = '')"};
    return instance;
}

} // namespace

/// The mark that a recovery is under way. Ends the session unless it was kept.
class connection::session::recovery
{
public:
    recovery(session& s, clock::time_point limit) : session_{s}
    {
        s.busy_ = true;
        s.limit_ = limit;
    }
    recovery(const recovery&) = delete;
    recovery& operator=(const recovery&) = delete;
    ~recovery()
    {
        session_.busy_ = false;
        session_.limit_ = clock::time_point::max();
        if (kept_)
            session_.condition_ = condition::usable;
        else
            session_.end(condition::abandoned);
    }

    void keep() noexcept { kept_ = true; }

private:
    session& session_;
    bool kept_ = false;
};

void connection::session::abandon() noexcept
{
    if (!handle_) return;
    condition_ = condition::abandoned;
    // Nobody could tell the proxy's server process that a cancellation is for.
    if (stake_ == stake::commit || !options_.prepared_statements()) end(condition::abandoned);
}

bool connection::session::recoverable() const noexcept
{
    return handle_ && !busy_ && !clean();
}

asio::awaitable<bool> connection::session::recover(pointer self, clock::duration within)
{
    if (self->busy_) throw std::logic_error{"a connection runs one operation at a time"};
    if (!self->handle_ || self->clean()) co_return self->usable();
    const auto now = clock::now();
    const auto limit = now + std::min(within, clock::time_point::max() - now);
    recovery going{*self, limit};
    const bool idle = self->condition_ == condition::usable; // in a transaction, nothing under way
    salvage plan{idle ? stake::nothing : self->stake_};
    salvage::action next = plan.begin();
    while (next != salvage::action::keep && next != salvage::action::drop) {
        const salvage::outcome ended = co_await self->perform(next, limit);
        next = plan.resume(ended);
    }
    const bool kept = next == salvage::action::keep && self->handle_ && !self->socket_gone() &&
                      PQtransactionStatus(self->handle_->get()) == PQTRANS_IDLE;
    if (kept) going.keep();
    co_return kept;
}

asio::awaitable<salvage::outcome> connection::session::perform(
    salvage::action what, clock::time_point limit)
{
    using action = salvage::action;
    using outcome = salvage::outcome;
    const auto verdict = [](const diagnostics& refusal) {
        if (refusal.sqlstate == "57014") return outcome::cancelled;
        return refusal.message.empty() ? outcome::done : outcome::failed;
    };
    try {
        switch (what) {
        case action::wait_briefly:
            limit_ = std::min(limit, clock::now() + a_moment);
            co_await drain();
            limit_ = limit;
            co_return outcome::done;
        case action::cancel: {
            limit_ = limit;
            const bool sent = co_await cancel_unless_closed(limit);
            co_return sent ? outcome::done : outcome::failed;
        }
        case action::drain: co_await drain(); co_return outcome::done;
        case action::roll_back: {
            if (PQtransactionStatus(handle_->get()) == PQTRANS_IDLE) co_return outcome::done;
            const diagnostics refusal = co_await run_command("rollback");
            co_return verdict(refusal);
        }
        case action::reset: {
            const diagnostics refusal = co_await run_command("discard all");
            prepared_.clear();
            notifications_.clear();
            co_return verdict(refusal);
        }
        case action::keep:
        case action::drop: break;
        }
    } catch (const silence&) {
        const bool in_time = clock::now() < limit;
        if (what == action::wait_briefly && in_time) co_return outcome::not_yet;
    } catch (const error&) { // whatever it is, the session is not clean
    }
    co_return outcome::failed;
}

/// Sends what is not sent yet, and receives and forgets all that is due.
asio::awaitable<void> connection::session::drain()
{
    co_await flush();
    bool nothing_before = false;
    while (syncs_due_ > 0) {
        if (clock::now() > limit_) throw_silent(); // there may be rows without end
        const result_pointer answer = co_await next_result();
        // A statement's results end with one that is nothing; a second one means that none is due.
        if (!answer && (nothing_before || socket_gone()))
            throw lost_error(errc::connection_lost, last_words());
        if (is_copy(answer)) throw lost_error(errc::connection_lost, last_words());
        nothing_before = !answer;
    }
    if (socket_gone() || server_said_goodbye())
        throw lost_error(errc::connection_lost, last_words());
}

/// `cancel_backend`, but no longer than this session is there: what waits for another connection
/// would not notice that this one is closed.
asio::awaitable<bool> connection::session::cancel_unless_closed(clock::time_point limit)
{
    auto either = asio::experimental::make_parallel_group(
        asio::co_spawn(socket_.get_executor(), cancel_backend(limit), asio::deferred),
        socket_.async_wait(descriptor::wait_error, asio::deferred));
    const auto outcome =
        co_await either.async_wait(asio::experimental::wait_for_one(), asio::use_awaitable);
    const auto& [order, failure, sent, interrupted] = outcome;
    const bool hung_up = order[0] == 1 && !interrupted;
    if (!handle_ || hung_up) co_return false;
    if (failure) std::rethrow_exception(failure);
    co_return sent;
}

/// Asks this session's server, over a connection of its own, to cancel what this session runs.
/// True: the server says that it sent the signal.
asio::awaitable<bool> connection::session::cancel_backend(clock::time_point limit)
{
    // A coroutine that is cancelled before it was ever suspended would end the executor's run with
    // an exception.
    co_await asio::post(asio::use_awaitable);
    if (!handle_) co_return false;
    PGconn* pg = handle_->get();
    const int pid = PQbackendPID(pg);
    const bool cannot_commit = stake_ == stake::open_transaction;
    connection_options options = options_;
    options.connect_timeout(limit - clock::now());
    std::vector<conninfo> same_server{make_conninfo(options, address_of(pg))};
    const pointer control = co_await connect(std::move(options), std::move(same_server));
    control->limit_ = limit;
    const std::chrono::duration<double> age = clock::now() - established_;
    pipeline ask;
    ask.add(cancel_statement(), pid, age.count(), cannot_commit);
    const result answer = co_await run_one(control, std::move(ask));
    co_return !answer.empty() && answer.get<bool>(0, 0);
}

} // namespace perdure::pg
