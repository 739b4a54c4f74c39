// The loop that delivers what others have written down in their own transactions.
#pragma once

#include <engine/engine_core.hpp>
#include <worker/backoff.hpp>

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace perdure {

/// Looks for requests whenever it is woken and delivers them. Several may look at once: the store
/// sees to it that each is delivered once.
///
/// A delivery that somebody's locks hold up goes on by itself, and the requests to its instances
/// are left to it; the loop looks for others meanwhile.
class request_forwarder : public std::enable_shared_from_this<request_forwarder>
{
public:
    using time_point = std::chrono::steady_clock::time_point;
    /// Runs a delivery in the background; it may be cancelled.
    using spawn_function = std::function<void(boost::asio::awaitable<void>)>;

    request_forwarder(std::shared_ptr<engine_core> engine, spawn_function spawn);

    /// Looks until it is stopped or cancelled. Deliveries under way then are left to whoever runs
    /// them: what is not committed is found again.
    boost::asio::awaitable<void> run();
    void stop();

private:
    struct addressed // a request without its value
    {
        event_type type;
        std::string id;
        std::string name;
    };
    struct delivery
    {
        std::vector<addressed> requests;
        bool leads = true;       // the loop waits for it
        bool look_again = false; // when it is over, for what was left out because of it
        bool failed = false;
    };
    using delivery_pointer = std::shared_ptr<delivery>;

    boost::asio::awaitable<bool> look();
    boost::asio::awaitable<bool> deliver(std::vector<store::stored_request> found);
    static boost::asio::awaitable<void> send(
        std::shared_ptr<request_forwarder> self, delivery_pointer sent,
        std::vector<store::stored_request> requests);
    void heed(delivery& sent, std::size_t item, const store::forwarded& outcome);
    void let_others_pass(delivery& sent);
    std::vector<std::string> left_out();
    time_point next_look() const;

    std::shared_ptr<engine_core> engine_;
    spawn_function spawn_;
    std::list<delivery_pointer> under_way_;
    std::map<std::string, time_point> resting_; // by id, instances of which a request was refused
    backoff trouble_{std::chrono::milliseconds{100}, std::chrono::milliseconds{5000}};
    wake_flag wake_;
    wake_flag progress_; // raised when a delivery ends or lets others pass
    std::unique_ptr<lookout> place_;
    time_point rest_until_{}; // after a delivery that failed
    bool stopping_ = false;
};

} // namespace perdure
