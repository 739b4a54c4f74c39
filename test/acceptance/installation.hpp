// An installation for end-to-end tests: a schema of its own, and processes (engine, client,
// workers) on it.
#pragma once

#include "run.hpp"
#include "server.hpp"

#include <perdure/client/client.hpp>
#include <perdure/engine/engine.hpp>
#include <perdure/pg/connection.hpp>
#include <perdure/pg/identifier.hpp>
#include <perdure/store/migrate.hpp>
#include <perdure/worker/worker.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <chrono>
#include <cstdint>
#include <deque>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace perdure::test {

/// The three ways in which every end-to-end behaviour must hold.
enum class setting
{
    cached,
    replayed,
    polling
};

inline constexpr setting every_setting[] = {setting::cached, setting::replayed, setting::polling};

inline const char* to_string(setting each)
{
    switch (each) {
    case setting::cached: return "with the instance cache";
    case setting::replayed: return "without the instance cache";
    case setting::polling: return "without notifications";
    }
    return "";
}

/// What a process's library said.
struct log_line
{
    log_level level;
    std::string text; // the message and its fields
};

/// Runs a script with `{schema}` in it, on a session of its own.
inline boost::asio::awaitable<void> execute(std::string schema, std::string sql)
{
    pg::connection session = co_await pg::connection::connect(pg::connection_options{test_dsn()});
    co_await session.execute_script(pg::substitute_schema(sql, schema));
}

/// A schema in the test server with the tables in it, dropped with the server.
class installation
{
public:
    explicit installation(setting how = setting::cached, const std::string& dsn = test_dsn())
        : how_{how}, schema_{unique_schema()}
    {
        run([&]() -> boost::asio::awaitable<void> {
            pg::connection_options options{dsn};
            pg::connection session = co_await pg::connection::connect(std::move(options));
            co_await store::migrate(session, schema_);
        });
    }

    const std::string& schema() const { return schema_; }

    engine_options options() const
    {
        engine_options options;
        options.schema(schema_);
        if (how_ == setting::polling) options.notifications(notification_mode::none);
        options.poll_interval(std::chrono::milliseconds{10});
        return options;
    }

    worker_options workers() const
    {
        worker_options options;
        options.hand_back_delay(std::chrono::milliseconds{10});
        if (how_ == setting::replayed) options.cached_instances(0);
        return options;
    }

private:
    setting how_;
    std::string schema_;
};

/// Options under which what is not woken waits for longer than any test: unless it polls.
inline engine_options patient(const installation& on)
{
    engine_options options = on.options();
    if (options.notifications() != notification_mode::none)
        options.poll_interval(std::chrono::minutes{10}).safety_poll(std::chrono::minutes{10});
    return options;
}

/// One process's share of an installation, all on one io_context: an engine, a client, and workers
/// that run until the process is destroyed.
class process
{
public:
    /// \param dsn how its engine connects.
    explicit process(const installation& on, std::string dsn = test_dsn())
        : process{on, std::move(dsn), on.options()}
    {}

    process(const installation& on, std::string dsn, engine_options options)
        : on_{on},
          engine_{io_, std::move(dsn), options.log([this](auto level, auto message, auto fields) {
                      std::string text{message};
                      for (const log_field& field : fields)
                          text.append(" ").append(field.name).append("=").append(field.value);
                      log_.push_back({level, std::move(text)});
                  })},
          client_{engine_}
    {}

    ~process()
    {
        try {
            stop();
        } catch (const std::exception&) { // the test that caused it has failed already
        }
    }

    boost::asio::io_context& io() { return io_; }
    perdure::engine& engine() { return engine_; }
    perdure::client& client() { return client_; }
    const std::vector<log_line>& log() const { return log_; }

    bool logged(std::string_view part) const
    {
        for (const log_line& line : log_)
            if (line.text.find(part) != std::string::npos) return true;
        return false;
    }

    /// Another worker, not yet running.
    worker& add_worker() { return add_worker(on_.workers()); }
    worker& add_worker(worker_options options)
    {
        return workers_.emplace_back(engine_, std::move(options));
    }

    /// Runs the workers that were added, in the background: whenever `run` runs something.
    void start_all()
    {
        for (; started_ < workers_.size(); ++started_) {
            ++running_;
            boost::asio::co_spawn(
                io_, workers_[started_].run(), [this](std::exception_ptr failure) {
                    --running_;
                    if (failure) failure_ = failure;
                });
        }
    }

    /// Runs a coroutine to its end, the workers meanwhile.
    template <class F>
    auto run(F function)
    {
        return perdure::test::run(io_, function());
    }

    /// Starts an instance and waits for its result, the workers meanwhile.
    template <class R>
    R result_of(workflow_call<R> call)
    {
        return perdure::test::run(io_, await_result(client_, std::move(call)));
    }

    /// Asks every worker to leave.
    void drain(std::chrono::milliseconds limit)
    {
        for (worker& each : workers_) each.drain(limit);
    }

    /// How many workers run.
    int running() const { return running_; }

    /// Drains every worker and waits until they have left.
    void stop(std::chrono::milliseconds limit = std::chrono::seconds{5})
    {
        drain(limit);
        perdure::test::run(io_, wait_until([this] { return running_ == 0; }));
        if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
    }

private:
    template <class R>
    static boost::asio::awaitable<R> await_result(perdure::client on, workflow_call<R> call)
    {
        const auto started = co_await on.start(std::move(call));
        co_return co_await started.result();
    }

    const installation& on_;
    std::vector<log_line> log_;
    boost::asio::io_context io_{1};
    perdure::engine engine_;
    perdure::client client_;
    std::deque<worker> workers_;
    std::size_t started_ = 0;
    int running_ = 0;
    std::exception_ptr failure_;
};

/// Waits until the history of the instance's run has so many events.
inline boost::asio::awaitable<void> wait_for_history(untyped_instance instance, std::int32_t length)
{
    const auto end = std::chrono::steady_clock::now() + deadline;
    for (;;) {
        const store::instance_state state = co_await instance.state();
        if (state.history_length >= length) co_return;
        if (std::chrono::steady_clock::now() > end)
            throw std::runtime_error{"the history did not grow before the test's deadline"};
        co_await pause(std::chrono::milliseconds{1});
    }
}

/// The instance's state, once it tells of a problem.
inline boost::asio::awaitable<store::instance_state> state_with_problem(untyped_instance instance)
{
    const auto end = std::chrono::steady_clock::now() + deadline;
    for (;;) {
        store::instance_state state = co_await instance.state();
        if (!state.problem.empty()) co_return state;
        if (std::chrono::steady_clock::now() > end)
            throw std::runtime_error{"no problem was recorded before the test's deadline"};
        co_await pause(std::chrono::milliseconds{1});
    }
}

} // namespace perdure::test
