#include <worker/request_forwarder.hpp>

#include <perdure/pg/error.hpp>
#include <perdure/workflow/event.hpp>

#include <algorithm>
#include <exception>
#include <utility>

namespace perdure {

namespace asio = boost::asio;

namespace {

constexpr std::int32_t most_per_look = 200;
constexpr std::int64_t bytes_per_look = 16 * 1024 * 1024;
constexpr std::size_t most_under_way = 8;
/// Before a request that the server refuses is tried again: somebody has to mend something first.
constexpr std::chrono::seconds rest_after_refusal{30};

} // namespace

request_forwarder::request_forwarder(std::shared_ptr<engine_core> engine, spawn_function spawn)
    : engine_{std::move(engine)},
      spawn_{std::move(spawn)},
      wake_{engine_->executor()},
      progress_{engine_->executor()},
      place_{engine_->hub().pollers().watch(task_kind::request, {std::string{}}, wake_)}
{}

asio::awaitable<void> request_forwarder::run()
{
    while (!stopping_) {
        wake_.clear(); // before looking: a wake-up in between is kept
        co_await wake_.rest_until(std::exchange(rest_until_, time_point{}));
        place_->room(true);
        place_->look();
        bool more = false;
        std::exception_ptr failure;
        try {
            more = co_await look();
        } catch (const pg::error&) {
            failure = std::current_exception();
        }
        if (failure) {
            if (engine_->is_shut_down()) std::rethrow_exception(failure);
            engine_->database_failed("cannot look for requests", failure);
            place_->room(false); // meanwhile others look
            co_await wake_.rest_until(std::chrono::steady_clock::now() + trouble_.next());
            continue;
        }
        if (more || stopping_) continue;
        place_->found_all(false, {});
        co_await wake_.wait_until(next_look());
    }
    place_.reset(); // who drains is not waited for
}

void request_forwarder::stop()
{
    stopping_ = true;
    wake_.raise();
    progress_.raise();
}

/// Returns whether more may be there.
asio::awaitable<bool> request_forwarder::look()
{
    while (under_way_.size() >= most_under_way && !stopping_) {
        progress_.clear();
        co_await progress_.wait_until(time_point::max());
    }
    std::vector<store::stored_request> found =
        co_await engine_->store().read_requests(left_out(), most_per_look, bytes_per_look);
    engine_->database_answers();
    std::int64_t size = 0;
    for (const store::stored_request& each : found)
        size += static_cast<std::int64_t>(each.data.size());
    const bool full = found.size() == most_per_look || size >= bytes_per_look;
    bool came_through = true;
    if (!found.empty()) came_through = co_await deliver(std::move(found));
    if (came_through) trouble_.reset();
    const bool more = full && came_through;
    co_return more;
}

/// Until all is delivered, or what is left waits for somebody's locks. Returns whether it did not
/// fail.
asio::awaitable<bool> request_forwarder::deliver(std::vector<store::stored_request> found)
{
    auto sent = std::make_shared<delivery>();
    for (const store::stored_request& each : found)
        sent->requests.push_back({each.type, each.id, each.name});
    under_way_.push_back(sent);
    spawn_(send(shared_from_this(), sent, std::move(found)));
    while (sent->leads && !stopping_) {
        progress_.clear();
        co_await progress_.wait_until(time_point::max());
    }
    co_return !sent->failed;
}

asio::awaitable<void> request_forwarder::send(
    std::shared_ptr<request_forwarder> self, delivery_pointer sent,
    std::vector<store::stored_request> requests)
{
    store::answers<store::forwarded> hears;
    hears.answer = [self, sent](std::size_t item, const store::forwarded& outcome) {
        self->heed(*sent, item, outcome);
    };
    hears.held_up = [self, sent] {
        sent->look_again = true;
        self->let_others_pass(*sent);
    };
    std::exception_ptr failure;
    try {
        co_await self->engine_->store().forward(std::move(requests), std::move(hears));
    } catch (...) { // a cancellation, too: the worker leaves
        failure = std::current_exception();
    }
    std::erase(self->under_way_, sent);
    if (failure && !self->stopping_) {
        sent->failed = true;
        self->engine_->database_failed("cannot deliver requests", failure);
        self->rest_until_ = std::chrono::steady_clock::now() + self->trouble_.next();
        self->wake_.raise();
    } else if (sent->look_again) {
        self->wake_.raise();
    }
    self->let_others_pass(*sent);
}

void request_forwarder::heed(delivery& sent, std::size_t item, const store::forwarded& outcome)
{
    const addressed& request = sent.requests[item];
    switch (outcome.status) {
    case store::forwarding::delivered: return;
    case store::forwarding::behind: sent.look_again = true; return;
    case store::forwarding::dropped:
        engine_->log(
            log_level::info, "a request was dropped: no active instance has its id",
            {{"instance", request.id},
             {"type", std::string{to_string(request.type)}},
             {"name", request.name}});
        return;
    case store::forwarding::rejected: break;
    }
    resting_[request.id] = std::chrono::steady_clock::now() + rest_after_refusal;
    engine_->log(
        log_level::error, "a request cannot be delivered and is tried again",
        {{"instance", request.id},
         {"type", std::string{to_string(request.type)}},
         {"name", request.name},
         {"reason", outcome.reason}});
}

void request_forwarder::let_others_pass(delivery& sent)
{
    sent.leads = false;
    progress_.raise();
}

/// The ids of instances whose requests are on their way or rest.
std::vector<std::string> request_forwarder::left_out()
{
    const time_point now = std::chrono::steady_clock::now();
    std::erase_if(resting_, [now](const auto& each) { return each.second <= now; });
    std::set<std::string> ids;
    for (const auto& [id, until] : resting_) ids.insert(id);
    for (const delivery_pointer& each : under_way_)
        for (const addressed& request : each->requests) ids.insert(request.id);
    return {ids.begin(), ids.end()};
}

request_forwarder::time_point request_forwarder::next_look() const
{
    time_point next = engine_->hub().deadline();
    for (const auto& [id, until] : resting_) next = std::min(next, until);
    return next;
}

} // namespace perdure
