// Turns announcements (of this process's own commits, and of others through NOTIFY) into woken
// pollers, clients and lease keepers, and decides what others are told. It does no I/O and has no
// clock of its own: the engine feeds it what the listener hears, and sends what it wants sent.
#pragma once

#include <engine/coalescer.hpp>
#include <engine/lookouts.hpp>
#include <engine/recent_ends.hpp>
#include <engine/topic.hpp>
#include <engine/wake_flag.hpp>
#include <store/database_clock.hpp>

#include <perdure/engine/engine.hpp>
#include <perdure/store/announcement.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace perdure {

/// What the hub knows about the way notifications take.
enum class notification_path
{
    off,  ///< switched off: pollers poll
    down, ///< the listener is not connected: pollers poll until it is
    up    ///< notifications arrive: pollers park
};

/// The wake-ups of one process.
///
/// Nothing is lost as long as its users keep the order: register, clear the flag, look, wait. While
/// the path is not `up`, `deadline()` makes them look again at the poll interval; when it changes,
/// everybody looks once.
class wake_hub : public store::announcer
{
public:
    using time_point = std::chrono::steady_clock::time_point;
    using now_function = std::function<time_point()>;

    /// \param self          this process's random name, with which it signs.
    /// \param mode          how others are told.
    /// \param poll_interval how often to look while notifications are off or down.
    wake_hub(
        std::string self, notification_mode mode, std::chrono::milliseconds poll_interval,
        now_function now = std::chrono::steady_clock::now);

    /// Keeps a flag in a list for as long as it lives. Must not outlive the list or the flag.
    class registration
    {
    public:
        registration() = default;
        registration(std::vector<wakeable*>& list, wakeable& flag);
        registration(registration&& other) noexcept;
        registration& operator=(registration&& other) noexcept;
        ~registration();

    private:
        std::vector<wakeable*>* list_ = nullptr;
        wakeable* flag_ = nullptr;
    };

    /// Raises `flag` when the instance has finished, or has given up activities.
    registration watch(store::instance_key instance, wakeable& flag);

    /// A point in what was heard of instances' ends.
    recent_ends::mark heard_so_far() const noexcept { return ends_.now(); }
    /// False: the instance has not ended since then, or that is still to be heard of.
    bool may_have_ended(store::instance_key instance, recent_ends::mark since) const;

    /// The pollers.
    lookouts& pollers() noexcept { return lookouts_; }
    const lookouts& pollers() const noexcept { return lookouts_; }

    std::optional<rider> lead(const store::announcement& what) override;
    void committed(
        const store::announcement& what, std::optional<store::announcement_id> led) override;
    void not_told(store::announcement_id led) override;

    /// Goes to the handler, for the log.
    void troubled(std::string_view what, const pg::error& cause) override;
    /// Receives what the store handled.
    void on_trouble(std::function<void(std::string_view what, const pg::error& cause)> handler);

    /// When a notification is to be sent by itself: `take_payload` then. Nothing: no one waits.
    std::optional<time_point> next_notification() const;
    /// The payload; nothing if it has become needless. `sent` or `not_sent` says what came of it.
    std::optional<std::string> take_payload();
    /// Others were told.
    void sent();
    /// They were not: it goes out when the next commit is confirmed, or with what is urged before.
    void not_sent();
    /// What is to be said waits for as long.
    void hold();

    /// Up to here others wait to be told now: a number for `was_told`.
    std::uint64_t to_be_told() const;
    /// Whether they were told up to there, or could not be.
    bool was_told(std::uint64_t up_to) const;
    /// Raises `flag` when something was told to others, or could not be.
    registration watch_telling(wakeable& flag);
    /// Called when `next_notification` has become something, or earlier.
    void on_urge(std::function<void()> handler) { says_.on_urge(std::move(handler)); }

    /// A notification arrived. One that cannot be understood wakes everybody.
    void notified(std::string_view payload);
    /// Everybody looks once: after a gap, or when nothing better is known.
    void wake_everybody();
    /// Everybody who awaits an instance looks once.
    void wake_waiters();
    /// The path changed; everybody looks once.
    void set_path(notification_path path);
    notification_path path() const noexcept { return path_; }

    /// When to look again without having been woken: never while notifications arrive.
    time_point deadline() const;

    store::database_clock& clock() noexcept { return clock_; }
    /// Takes a reading of the database's clock that has just arrived. When it was set back everybody
    /// looks once, at everything.
    void observe_clock(timestamp now);

private:
    using flags = std::vector<wakeable*>;

    /// A commit that is under way, or a notification by itself.
    struct telling
    {
        store::announcement_id id{};
        store::announcement what;     ///< goes along, and is told again should it not arrive
        store::announcement news;     ///< of the commit itself, with which it is told again
        store::announcement said;     ///< both, as others read it
        store::announcement left_out; ///< of the commit itself: others look then anyway
        std::uint64_t number = std::numeric_limits<std::uint64_t>::max(); ///< for `was_told`
        std::optional<time_point> since; ///< the commit was made up; nothing: signals, or by itself
        bool leads = true;               ///< others are told
        bool held = false;               ///< it had to wait for something else to be said
    };

    void announced(const store::announcement& what, store::announcement_id id);
    void ended(const std::vector<store::instance_key>& instances);
    void wake(const std::vector<store::instance_key>& instances);
    bool leads(
        const store::announcement& what, const store::announcement& news, time_point now) const;
    std::optional<time_point> overdue(const telling& rides) const;
    std::string payload_of(store::announcement said, store::announcement_id id, time_point now);
    telling take_pending();
    std::optional<telling> take_telling(store::announcement_id id);
    void tell_again(const telling& failed);
    bool others_wait() const;
    bool served_here(const store::announcement& what) const;
    store::announcement take_known(store::announcement& news) const;
    void told(const store::announcement& what, const store::announcement& said);
    void forget_empty();

    std::string self_;
    notification_mode mode_;
    std::chrono::milliseconds poll_interval_;
    now_function now_;
    notification_path path_ = notification_path::down;
    store::database_clock clock_;
    coalescer says_;
    lookouts lookouts_;
    recent_ends ends_;
    std::vector<telling> telling_;
    std::optional<store::announcement_id> sending_; // by itself
    std::uint64_t first_pending_ = 1;               // the earliest number of what is to be said
    std::uint64_t last_ = 1;                        // the number of what is added now
    flags told_;
    std::map<store::instance_key, flags> instances_;
    std::size_t forget_at_ = 64;
    std::function<void(std::string_view, const pg::error&)> on_trouble_;
};

} // namespace perdure
