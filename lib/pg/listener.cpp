#include <perdure/pg/listener.hpp>

#include <pg/conninfo.hpp>

#include <perdure/pg/connection.hpp>
#include <perdure/pg/identifier.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include <algorithm>
#include <exception>
#include <optional>
#include <random>
#include <tuple>

namespace perdure::pg {

namespace asio = boost::asio;
using clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

namespace {

bool is_cancellation(const std::exception_ptr& failure)
{
    try {
        std::rethrow_exception(failure);
    } catch (const boost::system::system_error& known) {
        return known.code() == asio::error::operation_aborted;
    }
}

constexpr clock::duration first_pause = 20ms;
constexpr clock::duration longest_pause_refused = 200ms;
constexpr clock::duration longest_pause_silent = 5s;
constexpr clock::duration pause_blocked = 30s;

/// How long to wait before the next attempt: short while the server refuses at once, so that a
/// restart is noticed at once; longer when it is silent, since every attempt costs it something.
class back_off
{
public:
    void reset() noexcept { next_ = first_pause; }

    clock::duration after(const error& cause) noexcept
    {
        if (cause.code() == make_error_code(errc::notifications_blocked)) return pause_blocked;
        const bool silent = cause.code() == make_error_code(errc::connect_timed_out);
        const auto longest = silent ? longest_pause_silent : longest_pause_refused;
        const auto pause = std::min(next_, longest);
        next_ = std::min(next_ * 2, longest_pause_silent);
        return pause;
    }

private:
    clock::duration next_ = first_pause;
};

/// Closes a connection that does not answer in time. What it interrupts ends with errc::closed;
/// `fired` tells why.
class watchdog
{
public:
    watchdog(connection& watched, const asio::any_io_executor& executor, clock::duration limit)
        : timer_{executor, limit}, state_{std::make_shared<state>(&watched)}
    {
        timer_.async_wait([s = state_](boost::system::error_code ended) {
            if (ended || !s->watched) return;
            s->fired = true;
            s->watched->close();
        });
    }
    watchdog(const watchdog&) = delete;
    watchdog& operator=(const watchdog&) = delete;
    ~watchdog() { state_->watched = nullptr; }

    bool fired() const noexcept { return state_->fired; }

private:
    struct state
    {
        explicit state(connection* w) : watched{w} {}
        connection* watched;
        bool fired = false;
    };

    asio::steady_timer timer_;
    std::shared_ptr<state> state_; // the handler may be queued already when the watchdog goes
};

} // namespace

class PERDURE_LOCAL listener::state
{
public:
    state(asio::any_io_executor executor, listener_options options)
        : executor_{std::move(executor)},
          options_{std::move(options)},
          stopped_timer_{executor_, clock::time_point::max()},
          look_timer_{executor_, clock::time_point::max()},
          random_{std::random_device{}()}
    {}

    static asio::awaitable<void> run(std::shared_ptr<state> self);
    void stop() noexcept;
    void look();
    void doubt();

    std::function<void(const notification&)> on_notification = [](const notification&) {};
    std::function<void()> on_gap = [] {};
    std::function<void(const error&)> on_down = [](const error&) {};
    std::function<pipeline::item()> safety = [] {
        return pipeline::item{statement{"select 1"}, {}};
    };
    std::function<void(const result&)> on_safety = [](const result&) {};
    std::function<void(const error&)> on_safety_refused = [](const error&) {};
    bool up = false;

private:
    static asio::awaitable<void> listen_for_ever(std::shared_ptr<state> self);
    asio::awaitable<void> listen_once();
    asio::awaitable<void> subscribe(connection& session);
    connection_options unprepared() const;
    asio::awaitable<void> prove(connection& session);
    asio::awaitable<bool> notify(connection& by, int process, std::string payload);
    asio::awaitable<void> drain(connection& session);
    asio::awaitable<std::vector<notification>> wait(connection& session, clock::time_point until);
    static asio::awaitable<std::vector<notification>> hear(
        connection* session, clock::time_point until);
    asio::awaitable<result> answer(connection& session, pipeline::item asked);
    void report_down(const error& cause);
    void deliver(const std::vector<notification>& arrived);
    error silent(const char* what) const;
    double jitter() { return std::uniform_real_distribution<double>{0.0, 1.0}(random_); }

    asio::any_io_executor executor_;
    listener_options options_;
    asio::steady_timer stopped_timer_; ///< Cancelled by `stop`.
    asio::steady_timer look_timer_;    ///< Cancelled by `look` and `doubt`.
    bool stopped_ = false;
    bool look_now_ = false;
    bool in_doubt_ = false;
    std::string script_;        ///< LISTEN for each channel.
    std::string proof_channel_; ///< Of this listener alone.
    std::string last_cause_;
    back_off pause_;
    std::minstd_rand random_;
};

asio::awaitable<void> listener::state::run(std::shared_ptr<state> self)
{
    self->proof_channel_ = "perdure_proof_" + std::to_string(std::random_device{}()) + "_" +
                           std::to_string(std::random_device{}());
    self->script_ = "listen " + quote_identifier(self->proof_channel_) + ";";
    for (const std::string& channel : self->options_.channels())
        self->script_ += "listen " + quote_identifier(channel) + ";";
    make_conninfo(self->options_.connection()); // throws for a string that no attempt could use
    if (self->stopped_) co_return;
    // Whichever ends first ends the other: stop() the loop, a cancellation both.
    auto both = asio::experimental::make_parallel_group(
        asio::co_spawn(self->executor_, listen_for_ever(self), asio::deferred),
        self->stopped_timer_.async_wait(asio::deferred));
    const auto outcome =
        co_await both.async_wait(asio::experimental::wait_for_one(), asio::use_awaitable);
    self->up = false;
    const auto& [order, failure, stopped] = outcome;
    if (self->stopped_) co_return; // before a cancellation, if there was one
    if (order[0] == 0 && failure) std::rethrow_exception(failure);
    throw boost::system::system_error{asio::error::operation_aborted};
}

void listener::state::stop() noexcept
{
    stopped_ = true;
    stopped_timer_.cancel();
}

void listener::state::look()
{
    look_now_ = true;
    look_timer_.cancel();
}

void listener::state::doubt()
{
    in_doubt_ = true;
    look_timer_.cancel();
}

asio::awaitable<void> listener::state::listen_for_ever(std::shared_ptr<state> self)
{
    // A coroutine that is cancelled before it was ever suspended would end the executor's run with
    // an exception.
    co_await asio::post(asio::use_awaitable);
    asio::steady_timer timer{self->executor_};
    for (;;) {
        std::optional<error> cause;
        try {
            co_await self->listen_once();
        } catch (const error& e) {
            cause = e;
        }
        if (!cause) continue;
        self->report_down(*cause);
        const auto pause = self->pause_.after(*cause);
        timer.expires_after(
            std::chrono::duration_cast<clock::duration>(pause * (0.75 + 0.25 * self->jitter())));
        co_await timer.async_wait(asio::use_awaitable);
    }
}

asio::awaitable<void> listener::state::listen_once()
{
    connection session = co_await connection::connect(unprepared());
    co_await subscribe(session);
    co_await prove(session);
    in_doubt_ = false;
    pause_.reset();
    last_cause_.clear();
    up = true;
    on_gap();
    co_await drain(session);
}

/// So that a pooling proxy fails at the proof, which names the cause.
connection_options listener::state::unprepared() const
{
    connection_options options = options_.connection();
    options.prepared_statements(false);
    return options;
}

asio::awaitable<void> listener::state::subscribe(connection& session)
{
    watchdog limit{session, executor_, options_.response_timeout()};
    try {
        co_await session.execute_script(script_);
    } catch (const error&) {
        if (limit.fired()) throw silent("LISTEN");
        throw;
    }
}

asio::awaitable<void> listener::state::prove(connection& session)
{
    std::string payload = "own";
    const bool is_direct = co_await notify(session, session.backend_pid(), payload);
    if (!is_direct) {
        // A proxy is between. If it is idle it gives us the same session of the server each time,
        // which hears itself. What counts is what comes from others while we ask for nothing.
        payload = "other";
        connection other = co_await connection::connect(unprepared());
        co_await notify(other, session.backend_pid(), payload);
    }
    const auto deadline = clock::now() + options_.response_timeout();
    bool proved = false;
    while (!proved) {
        std::vector<notification> arrived = co_await session.wait_notifications(deadline);
        if (arrived.empty()) break;
        proved = std::ranges::any_of(arrived, [&](const notification& n) {
            return n.channel == proof_channel_ && n.payload == payload;
        });
        deliver(arrived);
    }
    if (proved) co_return;
    try { // whoever gets the server's session next shall not hear what this one listened to
        const watchdog limit{session, executor_, options_.response_timeout()};
        co_await session.execute_script("unlisten *");
    } catch (const error&) { // that session is gone, and with it what it listened to
    }
    throw error{
        errc::notifications_blocked,
        "a NOTIFY to the own session did not come back; a transaction-pooling proxy, or one that "
        "multiplexes sessions, cannot LISTEN: give the listener a direct connection"};
}

/// Notifies the proof's channel; true if the server process that does so has this number.
asio::awaitable<bool> listener::state::notify(connection& by, int process, std::string payload)
{
    static const statement send{"select pg_notify($1, $2), pg_backend_pid() = $3"};
    watchdog limit{by, executor_, options_.response_timeout()};
    try {
        const result sent = co_await by.execute(send, proof_channel_, payload, process);
        co_return sent.get<bool>(0, 1);
    } catch (const error&) {
        if (limit.fired()) throw silent("NOTIFY");
        throw;
    }
}

asio::awaitable<void> listener::state::drain(connection& session)
{
    const auto next_safety = [this] {
        const auto least = options_.liveness_interval();
        return clock::now() + least +
               std::chrono::duration_cast<clock::duration>(least * (jitter() / 3));
    };
    auto safety_at = next_safety();
    for (;;) {
        const std::vector<notification> arrived = co_await wait(session, safety_at);
        deliver(arrived);
        if (std::exchange(in_doubt_, false)) co_await prove(session);
        if (clock::now() < safety_at && !look_now_) continue;
        look_now_ = false; // before asking: who wants to know meanwhile, wants to know again
        pipeline::item asked = safety();
        std::optional<error> refused;
        try {
            const result rows = co_await answer(session, std::move(asked));
            on_safety(rows);
        } catch (const error& failure) {
            // Refused, but notifications go on arriving.
            if (failure.sqlstate().empty() || !session.usable()) throw;
            refused = failure;
        }
        if (refused) on_safety_refused(*refused);
        safety_at = next_safety();
    }
}

/// Waits for notifications, until an instant or until somebody wants to look, or doubts.
asio::awaitable<std::vector<notification>> listener::state::wait(
    connection& session, clock::time_point until)
{
    std::vector<notification> arrived;
    if (look_now_ || in_doubt_) co_return arrived;
    auto either = asio::experimental::make_parallel_group(
        asio::co_spawn(executor_, hear(&session, until), asio::deferred),
        look_timer_.async_wait(asio::deferred));
    // What is cancelled ends, too: notifications that came in the same moment are kept.
    auto outcome =
        co_await either.async_wait(asio::experimental::wait_for_one(), asio::use_awaitable);
    auto& [order, failure, heard, looked] = outcome;
    const bool interrupted =
        order[0] == 1 && (look_now_ || in_doubt_) && failure && is_cancellation(failure);
    if (failure && !interrupted) std::rethrow_exception(failure);
    if (!failure) arrived = std::move(heard);
    co_return arrived;
}

asio::awaitable<std::vector<notification>> listener::state::hear(
    connection* session, clock::time_point until)
{
    co_await asio::post(asio::use_awaitable); // as listen_for_ever
    co_return co_await session->wait_notifications(until);
}

asio::awaitable<result> listener::state::answer(connection& session, pipeline::item asked)
{
    watchdog limit{session, executor_, options_.response_timeout()};
    pipeline one;
    one.add_encoded(asked.statement, std::move(asked.parameters));
    try {
        const pipeline_result answered = co_await session.run(std::move(one));
        co_return answered[0];
    } catch (const error&) {
        if (limit.fired()) throw silent("the safety statement");
        throw;
    }
}

void listener::state::deliver(const std::vector<notification>& arrived)
{
    for (const notification& n : arrived)
        if (n.channel != proof_channel_) on_notification(n);
}

void listener::state::report_down(const error& cause)
{
    const bool was_up = std::exchange(up, false);
    if (!was_up && last_cause_ == cause.what()) return;
    last_cause_ = cause.what();
    on_down(cause);
}

error listener::state::silent(const char* what) const
{
    const auto limit =
        std::chrono::duration_cast<std::chrono::milliseconds>(options_.response_timeout()).count();
    return {
        errc::connect_timed_out, "the server did not answer " + std::string{what} + " within " +
                                     std::to_string(limit) + " ms"};
}

listener::listener(asio::any_io_executor executor, listener_options options)
    : state_{std::make_shared<state>(std::move(executor), std::move(options))}
{}

listener::~listener()
{
    stop();
}

asio::awaitable<void> listener::run()
{
    return state::run(state_);
}

void listener::stop() noexcept
{
    state_->stop();
}

void listener::on_notification(std::function<void(const notification&)> handler)
{
    state_->on_notification = std::move(handler);
}

void listener::on_gap(std::function<void()> handler)
{
    state_->on_gap = std::move(handler);
}

void listener::on_down(std::function<void(const error&)> handler)
{
    state_->on_down = std::move(handler);
}

void listener::on_safety(statement safety, std::function<void(const result&)> handler)
{
    on_safety(
        [safety = std::move(safety)] { return pipeline::item{safety, {}}; }, std::move(handler));
}

void listener::on_safety(
    std::function<pipeline::item()> next, std::function<void(const result&)> handler)
{
    state_->safety = std::move(next);
    state_->on_safety = std::move(handler);
}

void listener::on_safety_refused(std::function<void(const error&)> handler)
{
    state_->on_safety_refused = std::move(handler);
}

void listener::look()
{
    state_->look();
}

void listener::doubt()
{
    state_->doubt();
}

bool listener::up() const noexcept
{
    return state_->up;
}

} // namespace perdure::pg
