// The inside of an engine, shared by the workers and clients that use it.
#pragma once

#include <engine/thread_watch.hpp>
#include <engine/wake_hub.hpp>

#include <perdure/engine/engine.hpp>
#include <perdure/pg/listener.hpp>
#include <perdure/pg/pool.hpp>
#include <perdure/store/store.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>

#include <chrono>
#include <cstdint>
#include <exception>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace perdure {

class engine_core : public std::enable_shared_from_this<engine_core>
{
public:
    engine_core(boost::asio::any_io_executor executor, std::string dsn, engine_options options);
    ~engine_core();

    const boost::asio::any_io_executor& executor() const noexcept { return executor_; }
    const engine_options& options() const noexcept { return options_; }
    pg::pool& pool() noexcept { return pool_; }
    store::store& store() noexcept { return store_; }
    wake_hub& hub() noexcept { return hub_; }
    /// This process, as others know it.
    member_id member() const noexcept { return member_of(name_); }

    /// Makes sure, once, that the schema is there and fits this library.
    boost::asio::awaitable<void> ready();

    /// The listener runs while anybody holds one of these.
    class listening
    {
    public:
        listening() = default;
        explicit listening(std::shared_ptr<engine_core> core);
        listening(listening&& other) noexcept = default;
        listening& operator=(listening&& other) noexcept;
        ~listening();
        explicit operator bool() const noexcept { return core_ != nullptr; }

    private:
        std::shared_ptr<engine_core> core_;
    };
    listening listen();

    void log(
        log_level level, std::string_view message, std::initializer_list<log_field> fields = {});

    /// Something could not be done because the database did not let it. The first of an outage is
    /// a warning, what follows until `database_answers` is for the curious.
    void database_failed(std::string_view what, std::exception_ptr cause);
    /// The database did something again.
    void database_answers();

    /// Says to the logger, once, when the executor's handlers run on several threads. Called by
    /// what happens often.
    void check_thread();

    /// Returns once others were told of everything that this process has committed so far, or
    /// could not be told.
    /// \param until when to give up: what is being sent is cancelled, and goes out along with what
    ///     is to be announced next.
    boost::asio::awaitable<void> announced(
        std::chrono::steady_clock::time_point until = std::chrono::steady_clock::time_point::max());

    /// Closes every connection and joins the blocking thread.
    void shut_down();
    bool is_shut_down() const noexcept { return shut_down_; }

private:
    void start_listener();
    void stop_listener() noexcept;
    std::int32_t number_of(const topic& which) const;
    pg::pipeline::item safety_statement() const;
    void heed(const store::safety_report& read);
    void start_announcing();
    void heed_announcing(std::exception_ptr failure);
    static boost::asio::awaitable<void> announce(std::shared_ptr<engine_core> self);

    boost::asio::any_io_executor executor_;
    engine_options options_;
    std::string name_; // of this process, for as long as it lives
    thread_watch threads_;
    boost::asio::thread_pool blocking_{1};
    pg::connection_options connection_options_;
    pg::pool pool_;
    wake_hub hub_;
    store::store store_;
    std::shared_ptr<pg::listener> listener_;
    boost::asio::steady_timer announcing_timer_;
    boost::asio::cancellation_signal announcing_cancel_;
    bool announcing_given_up_ = false;
    bool announcing_ = false; // notifications are sent by themselves
    std::size_t listening_ = 0;
    bool schema_checked_ = false;
    bool outage_ = false;
    bool silence_logged_ = false; // nothing was heard, and the log says so
    bool shut_down_ = false;
};

/// The words of an exception, for a log's field.
std::string what_of(std::exception_ptr exception) noexcept;

} // namespace perdure
