// Hears notifications for ever, on a connection of its own that is always drained and always
// renewed.
#pragma once

#include <perdure/config.hpp>
#include <perdure/pg/connection_options.hpp>
#include <perdure/pg/error.hpp>
#include <perdure/pg/notification.hpp>
#include <perdure/pg/pipeline.hpp>
#include <perdure/pg/result.hpp>
#include <perdure/pg/statement.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace perdure::pg {

/// What a listener listens to, and its times. Setters return the object, so that they chain.
class listener_options
{
public:
    listener_options() = default;

    /// Options with this connection and all else as it is.
    explicit listener_options(connection_options value) : connection_{std::move(value)} {}

    /// How its connection is made. It must be a session of its own: not through a
    /// transaction-pooling proxy.
    listener_options& connection(connection_options value)
    {
        connection_ = std::move(value);
        return *this;
    }
    const connection_options& connection() const noexcept { return connection_; }

    /// The channels, each at most 63 bytes.
    listener_options& channels(std::vector<std::string> value)
    {
        channels_ = std::move(value);
        return *this;
    }
    const std::vector<std::string>& channels() const noexcept { return channels_; }

    /// Least time between two safety statements; the actual one is up to a third longer, drawn anew
    /// each time, so that processes do not beat together. Default 30 s.
    listener_options& liveness_interval(std::chrono::steady_clock::duration value)
    {
        liveness_interval_ = value;
        return *this;
    }
    std::chrono::steady_clock::duration liveness_interval() const noexcept
    {
        return liveness_interval_;
    }

    /// How long an answer of the server may take (LISTEN, the NOTIFY to itself, the safety
    /// statement) before the connection counts as lost. Default 10 s.
    listener_options& response_timeout(std::chrono::steady_clock::duration value)
    {
        response_timeout_ = value;
        return *this;
    }
    std::chrono::steady_clock::duration response_timeout() const noexcept
    {
        return response_timeout_;
    }

private:
    connection_options connection_;
    std::vector<std::string> channels_;
    std::chrono::steady_clock::duration liveness_interval_ = std::chrono::seconds{30};
    std::chrono::steady_clock::duration response_timeout_ = std::chrono::seconds{10};
};

/// Listens on its own connection and reconnects, on a new one, whenever that is lost: after at most
/// 200 ms while the server refuses at once or is starting, with growing pauses up to 5 s while it
/// does not answer, and after 30 s when notifications do not come back, which a transaction-pooling
/// proxy causes.
///
/// A notification sent while no connection was up is lost. So every connect is reported as a *gap*,
/// once LISTEN is confirmed and a NOTIFY to itself came back: whoever waits for something must then
/// look for it.
///
/// Handlers are set before `run`, are called on its executor and must not throw. Everything runs on
/// one executor that does not run handlers in parallel.
class PERDURE_DECL listener
{
public:
    listener(boost::asio::any_io_executor executor, listener_options options);
    listener(const listener&) = delete;
    listener& operator=(const listener&) = delete;

    /// Stops it; a `run` under way ends normally and may outlive this object.
    ~listener();

    /// Listens until `stop` (returns) or until cancelled (throws `operation_aborted`); nothing of
    /// it is pending on the executor afterwards. Throws `error` with errc::bad_value at once for a
    /// channel name that cannot be one, and with errc::connect_failed for a connection string that
    /// libpq cannot read; no other error: failures are reported by `on_down` and tried again. Call
    /// it once.
    boost::asio::awaitable<void> run();

    /// Ends `run`, now or when it is called.
    void stop() noexcept;

    /// Called with each notification.
    void on_notification(std::function<void(const notification&)> handler);

    /// Called after each connect, once notifications are proved to arrive.
    void on_gap(std::function<void()> handler);

    /// Called when the connection is lost or cannot be made, with the cause; not again for the same
    /// cause in a row.
    void on_down(std::function<void(const error&)> handler);

    /// A statement without parameters to run on the listener's session every 30 to 40 s (see
    /// `liveness_interval`), and what to do with its rows. It is the check that the connection
    /// lives, too; without one, `select 1` is.
    void on_safety(statement safety, std::function<void(const result&)> handler);
    /// The same for a statement with arguments: `next` gives it, each time anew.
    void on_safety(
        std::function<pipeline::item()> next, std::function<void(const result&)> handler);

    /// Called when the server refuses the safety statement, with its words: to a role without the
    /// right, say. Notifications go on arriving, and the statement is run again in its turn.
    void on_safety_refused(std::function<void(const error&)> handler);

    /// Runs the safety statement now, or as soon as the listener is up.
    void look();

    /// Notifies itself once more, now or as soon as the listener is up: for whoever has reason to
    /// doubt that notifications arrive. When that one does not, the listener is down, with
    /// errc::notifications_blocked.
    void doubt();

    /// True from a reported gap to the next loss.
    bool up() const noexcept;

private:
    class state;
    std::shared_ptr<state> state_;
};

} // namespace perdure::pg
