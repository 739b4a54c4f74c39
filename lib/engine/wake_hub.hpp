// Turns announcements (of this process's own commits, and of others through NOTIFY) into raised
// flags. It does no I/O: the engine feeds it what the listener hears, pollers and clients register
// the flags they park on.
#pragma once

#include <engine/wake_flag.hpp>
#include <store/database_clock.hpp>

#include <perdure/store/announcement.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace perdure {

/// Which table a poller looks at.
enum class task_kind
{
    workflow,
    activity,
    request ///< its one queue has no name
};

/// What the hub knows about the way notifications take.
enum class notification_path
{
    off,  ///< switched off: pollers poll
    down, ///< the listener is not connected: pollers poll until it is
    up    ///< notifications arrive: pollers park
};

/// The flags of one process and the rules by which they are raised.
///
/// Nothing is lost as long as its users keep the order: register, clear the flag, look, wait. While
/// the path is not `up`, `deadline()` makes them look again at the poll interval; when it changes,
/// everybody looks once.
class wake_hub : public store::announcer
{
public:
    using time_point = std::chrono::steady_clock::time_point;

    /// \param self          this process's random name, so that it does not heed its own
    /// notifications.
    /// \param poll_interval how often to look while notifications are off or down.
    wake_hub(std::string self, std::chrono::milliseconds poll_interval);

    /// Keeps a flag registered for as long as it lives. Must not outlive the hub or the flag.
    class registration
    {
    public:
        registration() = default;
        registration(registration&& other) noexcept;
        registration& operator=(registration&& other) noexcept;
        ~registration();

    private:
        friend class wake_hub;
        registration(std::vector<wake_flag*>& list, wake_flag& flag);
        std::vector<wake_flag*>* list_ = nullptr;
        wake_flag* flag_ = nullptr;
    };

    /// Raises `flag` when a task of that queue is, or will be, there.
    registration watch(task_kind kind, const std::string& queue, wake_flag& flag);

    /// Raises `flag` when the instance has finished.
    registration watch(store::instance_key instance, wake_flag& flag);

    /// What to notify with a commit; nothing when notifications are off.
    std::optional<std::string> lead(const store::announcement& what) override;
    /// A commit of this process is confirmed: its own pollers and waiters are woken directly.
    void committed(const store::announcement& what) override;

    /// Goes to the handler, for the log.
    void troubled(std::string_view what, const pg::error& cause) override;
    /// Receives what the store handled.
    void on_trouble(std::function<void(std::string_view what, const pg::error& cause)> handler);

    /// A notification arrived. One that cannot be understood wakes everybody.
    void notified(std::string_view payload);
    /// Everybody looks once: after a gap, or when nothing better is known.
    void wake_everybody();
    /// Everybody who awaits a result looks once.
    void wake_waiters();
    /// The path changed; everybody looks once.
    void set_path(notification_path path);
    notification_path path() const noexcept { return path_; }

    /// When to look again without having been woken: never while notifications arrive.
    time_point deadline() const noexcept;

    /// The queues somebody of this process watches, for the safety poll.
    std::vector<std::string> watched_queues(task_kind kind) const;
    /// The earliest instant at which something is due on a queue, as the safety poll read it.
    void due(task_kind kind, const std::string& queue, timestamp at);

    store::database_clock& clock() noexcept { return clock_; }

private:
    using flags = std::vector<wake_flag*>;

    void deliver(const store::announcement& what);
    void deliver(task_kind kind, const store::announced_queue& queue);
    std::map<std::string, flags, std::less<>>& queues(task_kind kind) noexcept;
    const std::map<std::string, flags, std::less<>>& queues(task_kind kind) const noexcept;
    void forget_empty();

    std::string self_;
    std::chrono::milliseconds poll_interval_;
    notification_path path_ = notification_path::down;
    std::map<std::string, flags, std::less<>> workflow_queues_;
    std::map<std::string, flags, std::less<>> activity_queues_;
    std::map<std::string, flags, std::less<>> request_queues_;
    std::map<store::instance_key, flags> instances_;
    std::size_t forget_at_ = 64;
    store::database_clock clock_;
    std::function<void(std::string_view, const pg::error&)> on_trouble_;
};

} // namespace perdure
