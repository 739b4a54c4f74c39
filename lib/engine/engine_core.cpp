#include <engine/engine_core.hpp>

#include <perdure/workflow/error.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <cstdint>
#include <random>
#include <utility>
#include <vector>

namespace perdure {

namespace asio = boost::asio;

namespace {

/// What may be claimed for this long was not announced, or not heard of.
constexpr std::chrono::seconds late_for_a_notification{1};

/// A name for this process's lifetime; process numbers and host names are used again.
std::string draw_process_name()
{
    std::random_device random;
    static constexpr std::string_view digits = "0123456789abcdef";
    std::string name;
    for (int i = 0; i < 16; ++i) name.push_back(digits[random() % digits.size()]);
    return name;
}

pg::connection_options connection_to(
    const std::string& dsn, const engine_options& options, asio::thread_pool& blocking)
{
    pg::connection_options connection{dsn};
    connection.connect_timeout(options.connect_timeout());
    connection.response_timeout(options.response_timeout());
    connection.prepared_statements(options.prepared_statements());
    connection.blocking_executor(blocking.get_executor());
    return connection;
}

pg::pool_options pool_of(const pg::connection_options& connection, const engine_options& options)
{
    pg::pool_options pool{connection};
    pool.size(options.pool_size());
    pool.acquire_timeout(options.pool_timeout());
    pool.reserve(1); // for leases: whoever cannot extend them loses what it works on
    return pool;
}

void check_options(const engine_options& options)
{
    const auto refuse = [](const char* sentence) { throw error{errc::invalid_argument, sentence}; };
    if (options.pool_size() == 0) refuse("an engine's pool_size must be at least 1");
    if (options.response_timeout() <= std::chrono::milliseconds{0})
        refuse("an engine's response_timeout must be positive");
    if (options.poll_interval() <= std::chrono::milliseconds{0})
        refuse("an engine's poll_interval must be positive");
    if (options.safety_poll() <= std::chrono::milliseconds{0})
        refuse("an engine's safety_poll must be positive");
}

} // namespace

engine_core::engine_core(asio::any_io_executor executor, std::string dsn, engine_options options)
    : executor_{std::move(executor)},
      options_{std::move(options)},
      name_{draw_process_name()},
      threads_{executor_},
      connection_options_{connection_to(dsn, options_, blocking_)},
      pool_{executor_, pool_of(connection_options_, options_)},
      hub_{name_, options_.notifications(), options_.poll_interval()},
      store_{pool_, options_.schema(), hub_},
      announcing_timer_{executor_}
{
    check_options(options_);
    hub_.on_trouble([this](std::string_view what, const pg::error& cause) {
        database_failed(what, std::make_exception_ptr(cause));
    });
    hub_.on_urge([this] { start_announcing(); });
    hub_.pollers().on_change([this] {
        if (listener_) listener_->look();
    });
}

engine_core::~engine_core()
{
    shut_down();
}

void engine_core::shut_down()
{
    if (std::exchange(shut_down_, true)) return;
    stop_listener();
    announcing_timer_.cancel();
    hub_.wake_everybody(); // whoever waits finds the pool closed
    pool_.close();
    blocking_.stop();
    blocking_.join();
}

asio::awaitable<void> engine_core::ready()
{
    check_thread();
    if (schema_checked_) co_return;
    const auto self = shared_from_this();
    co_await store_.check_schema();
    schema_checked_ = true;
}

void engine_core::check_thread()
{
    if (threads_.astray())
        log(log_level::error,
            "the engine's handlers run on several threads, which corrupts it: run its io_context "
            "on one thread, or give the engine a strand");
}

void engine_core::log(
    log_level level, std::string_view message, std::initializer_list<log_field> fields)
{
    if (!options_.log()) return;
    try {
        options_.log()(level, message, std::span<const log_field>{fields.begin(), fields.size()});
    } catch (...) { // a log that fails must not take down what it tells about
    }
}

void engine_core::database_failed(std::string_view what, std::exception_ptr cause)
{
    const bool first = !std::exchange(outage_, true);
    log(first ? log_level::warning : log_level::debug, what, {{"cause", what_of(cause)}});
}

void engine_core::database_answers()
{
    if (std::exchange(outage_, false)) log(log_level::warning, "the database answers again");
}

engine_core::listening engine_core::listen()
{
    return listening{shared_from_this()};
}

engine_core::listening::listening(std::shared_ptr<engine_core> core) : core_{std::move(core)}
{
    if (core_->listening_++ == 0) core_->start_listener();
}

engine_core::listening& engine_core::listening::operator=(listening&& other) noexcept
{
    std::swap(core_, other.core_);
    return *this;
}

engine_core::listening::~listening()
{
    if (core_ && --core_->listening_ == 0) core_->stop_listener();
}

void engine_core::start_listener()
{
    if (options_.notifications() == notification_mode::none || shut_down_) return;
    pg::connection_options connection = connection_options_;
    if (!options_.listener_dsn().empty()) connection.dsn(options_.listener_dsn());
    connection.application_name("perdure listener");
    pg::listener_options listener_options{std::move(connection)};
    listener_options.channels({options_.schema()});
    listener_options.liveness_interval(options_.safety_poll());
    listener_ = std::make_shared<pg::listener>(executor_, std::move(listener_options));

    // One that was stopped may still have something to say.
    const auto current = [weak = weak_from_this(), listener = listener_.get()] {
        auto self = weak.lock();
        return self && self->listener_.get() == listener ? self : nullptr;
    };
    listener_->on_notification([current](const pg::notification& heard) {
        if (const auto self = current()) self->hub_.notified(heard.payload);
    });
    listener_->on_gap([current] {
        const auto self = current();
        if (!self) return;
        // Whoever was told that they do not is told that they do.
        const bool alarmed = std::exchange(self->silence_logged_, false);
        self->log(alarmed ? log_level::warning : log_level::info, "notifications arrive");
        self->hub_.set_path(notification_path::up);
        self->listener_->look(); // who else is there?
    });
    listener_->on_down([current](const pg::error& cause) {
        const auto self = current();
        if (!self) return;
        self->silence_logged_ = true;
        self->log(
            log_level::warning, "no notifications arrive: polling until they do",
            {{"cause", cause.what()}});
        self->hub_.set_path(notification_path::down);
    });
    listener_->on_safety(
        [current] {
            const auto self = current();
            return self ? self->safety_statement()
                        : pg::pipeline::item{pg::statement{"select 1"}, {}};
        },
        [current](const pg::result& rows) {
            const auto self = current();
            if (self && !self->shut_down_) self->heed(store::read_safety(rows));
        });
    listener_->on_safety_refused([current](const pg::error& cause) {
        const auto self = current();
        if (!self) return;
        self->log(
            log_level::warning,
            "the safety poll was refused: everybody looks instead, and who else listens is not "
            "known",
            {{"cause", cause.what()}});
        self->hub_.wake_everybody();
    });
    auto listener = listener_; // lives as long as its loop
    asio::co_spawn(executor_, listener->run(), [listener, current](std::exception_ptr failure) {
        const auto self = current();
        if (failure && self) {
            self->log(
                log_level::error, "the listener ended: polling", {{"cause", what_of(failure)}});
            self->hub_.set_path(notification_path::down);
        }
    });
}

void engine_core::stop_listener() noexcept
{
    if (!listener_) return;
    listener_->stop();
    listener_.reset();
    hub_.set_path(notification_path::down);
}

/// The topic's number in the database, for all who use this schema.
std::int32_t engine_core::number_of(const topic& which) const
{
    const std::uint32_t number = fingerprint(options_.schema() + "/" + to_string(which));
    return static_cast<std::int32_t>(number & 0x7fff'ffffu);
}

pg::pipeline::item engine_core::safety_statement() const
{
    std::vector<std::int32_t> topics;
    for (const topic& each : hub_.pollers().watched()) topics.push_back(number_of(each));
    return store_.safety_statement(topics, static_cast<std::int32_t>(member()));
}

void engine_core::heed(const store::safety_report& read)
{
    hub_.observe_clock(read.now);
    for (const topic& each : hub_.pollers().watched()) {
        std::vector<member_id> members;
        for (const auto& [number, member] : read.members)
            if (number == number_of(each)) members.push_back(member_id{member});
        hub_.pollers().present(each, std::move(members));
    }
    bool unheard = false;
    for (const store::due_queue& queue : read.queues) {
        const task_kind kind = queue.activities ? task_kind::activity : task_kind::workflow;
        // A notification takes some time, and so does whoever claims it.
        if (hub_.pollers().found({kind, queue.queue}, queue.visible_at) &&
            queue.visible_at < read.now - late_for_a_notification)
            unheard = true;
    }
    if (unheard && listener_) listener_->doubt();
    if (read.requests) hub_.pollers().found({task_kind::request, {}}, read.now);
    hub_.wake_waiters(); // a finish whose notification was lost is found here
}

void engine_core::start_announcing()
{
    announcing_timer_.cancel(); // it is to be sent earlier than it was to be
    if (announcing_ || shut_down_ || !hub_.next_notification()) return;
    announcing_ = true;
    auto self = shared_from_this();
    auto ended = [self](std::exception_ptr failure) {
        self->announcing_ = false;
        const bool given_up = std::exchange(self->announcing_given_up_, false);
        if (failure && !given_up)
            self->log(log_level::error, "notifying others ended", {{"cause", what_of(failure)}});
        self->start_announcing(); // what somebody urged meanwhile
    };
    asio::co_spawn(
        executor_, announce(self),
        asio::bind_cancellation_slot(announcing_cancel_.slot(), std::move(ended)));
}

asio::awaitable<void> engine_core::announce(std::shared_ptr<engine_core> self)
{
    asio::steady_timer& timer = self->announcing_timer_;
    while (const auto at = self->hub_.next_notification()) {
        if (self->shut_down_) break;
        if (std::chrono::steady_clock::now() < *at) {
            timer.expires_at(*at);
            boost::system::error_code ignored; // a cancelled timer means: look again
            co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
            const auto cancelled = (co_await asio::this_coro::cancellation_state).cancelled();
            if (cancelled != asio::cancellation_type::none) co_return;
            continue;
        }
        std::optional<std::string> payload = self->hub_.take_payload();
        std::exception_ptr failure;
        try {
            if (payload) co_await self->store_.notify(std::move(*payload));
            self->hub_.sent();
        } catch (...) { // whoever waits finds it at the next safety poll
            failure = std::current_exception();
            self->hub_.not_sent();
        }
        if (failure) self->heed_announcing(failure);
    }
}

/// Goes on in spite of the database's failures, and of no others.
void engine_core::heed_announcing(std::exception_ptr failure)
{
    try {
        std::rethrow_exception(failure);
    } catch (const pg::error&) {
        database_failed("cannot notify others", failure);
    }
}

asio::awaitable<void> engine_core::announced(std::chrono::steady_clock::time_point until)
{
    const auto self = shared_from_this();
    start_announcing(); // if it was given up before
    const std::uint64_t last = hub_.to_be_told();
    wake_flag told{executor_};
    const wake_hub::registration waiting = hub_.watch_telling(told);
    while (!hub_.was_told(last) && !shut_down_ && std::chrono::steady_clock::now() < until) {
        told.clear();
        co_await told.wait_until(until);
    }
    if (!announcing_ || hub_.was_told(last)) co_return;
    hub_.hold();
    announcing_given_up_ = true;
    announcing_cancel_.emit(asio::cancellation_type::terminal);
}

std::string what_of(std::exception_ptr exception) noexcept
{
    try {
        std::rethrow_exception(std::move(exception));
    } catch (const std::exception& known) {
        try {
            return known.what();
        } catch (...) {
            return {};
        }
    } catch (...) {
        return "an exception of unknown type";
    }
}

} // namespace perdure
