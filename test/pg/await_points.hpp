// Interrupts an operation at every point where it waits: it is run again and again, one handler at
// a time, and each time one handler later it is cancelled, closed or destroyed.
#pragma once

#include "session.hpp"
#include "stepped_server.hpp"

#include <perdure/pg/listener.hpp>
#include <perdure/pg/pool.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>
#include <cstddef>
#include <exception>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>

namespace perdure::test {

/// What an operation works with, all of it in one thread: the executor, the calls that block, the
/// server. Whatever an operation uses stands here, so that it ends before the executor.
struct world
{
    world()
    {
        server.answer("pg_cancel_backend", {{16, std::string(1, '\1')}});
        server.answer("pg_notify", {{2278, ""}, {16, std::string(1, '\1')}});
    }

    /// One step of whoever has something to do. False: all wait for time to pass.
    bool step() { return step_client() || server.step(); }

    /// The same without the server.
    bool step_client() { return io.poll_one() > 0 || blocking.poll_one() > 0; }

    /// Steps until `done` holds, waiting for time where need be.
    void drive(const std::function<bool()>& done, const std::function<bool()>& step_once)
    {
        const auto end = std::chrono::steady_clock::now() + std::chrono::seconds{10};
        while (!done()) {
            if (step_once()) continue;
            if (std::chrono::steady_clock::now() > end) FAIL("it hangs");
            io.run_one_for(std::chrono::milliseconds{1});
        }
    }

    /// Runs an operation to its end and throws what it throws.
    void run(boost::asio::awaitable<void> operation)
    {
        bool done = false;
        std::exception_ptr failure;
        boost::asio::co_spawn(io, std::move(operation), [&](std::exception_ptr e) {
            done = true;
            failure = e;
        });
        drive([&] { return done; }, [this] { return step(); });
        if (failure) std::rethrow_exception(failure);
    }

    /// How to reach the server.
    pg::connection_options options() const
    {
        pg::connection_options o{server.dsn()};
        o.blocking_executor(const_cast<boost::asio::io_context&>(blocking).get_executor());
        return o;
    }

    using guard = boost::asio::executor_work_guard<boost::asio::io_context::executor_type>;

    stepped_server server;
    boost::asio::io_context io{1};
    boost::asio::io_context blocking{1};
    guard io_guard{io.get_executor()};
    guard blocking_guard{blocking.get_executor()};
    std::optional<pg::connection> connection;
    std::optional<pg::pool> pool;
    std::optional<pg::pooled_connection> lent;
    std::optional<pg::listener> listener;
    int count = 0; ///< For what a test wants to know about its operation.
};

enum class interruption
{
    cancelled,
    closed,
    destroyed,
};

/// An operation and what surrounds it.
struct interrupted_operation
{
    std::function<void(world&)> prepare;
    std::function<boost::asio::awaitable<void>(world&)> operation;
    /// Closes what the operation runs on; empty if there is no such thing.
    std::function<void(world&)> close;
    /// What must hold after it was interrupted; `succeeded`: that came too late.
    std::function<void(world&, interruption how, bool succeeded)> check;
    std::size_t bytes_a_step = 5; ///< Of the server's answers.
    /// Whether it goes on by itself when all wait for time to pass. If not, it is over then.
    bool takes_time = false;
};

inline std::size_t open_descriptors()
{
    const std::filesystem::directory_iterator all{"/proc/self/fd"};
    return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

/// The operation on its way.
struct running_operation
{
    boost::asio::cancellation_signal cancel;
    bool begun = false;
    bool done = false;
    std::exception_ptr failure;

    static boost::asio::awaitable<void> run(
        world& w, const interrupted_operation* o, std::shared_ptr<running_operation> self)
    {
        co_await boost::asio::post(boost::asio::use_awaitable);
        self->begun = true;
        co_await o->operation(w);
    }
};

/// True if it succeeded, false if it ended as an interruption like this one should end it.
inline bool succeeded(const running_operation& o, interruption how)
{
    if (!o.failure) return true;
    try {
        std::rethrow_exception(o.failure);
    } catch (const pg::error& e) {
        CHECK_MESSAGE(how == interruption::closed, std::string{e.what()});
        CHECK_MESSAGE(e.code() == pg::errc::closed, std::string{e.what()});
    } catch (const boost::system::system_error& e) {
        CHECK(how == interruption::cancelled);
        CHECK(e.code() == boost::asio::error::operation_aborted);
    }
    return false;
}

/// Interrupts `o` after its n-th handler. False if it needed no more than that many: it was over,
/// or waited for what never comes.
inline bool interrupt(const interrupted_operation& o, interruption how, std::size_t n)
{
    world w;
    if (o.prepare) o.prepare(w);
    w.server.send_at_most(o.bytes_a_step);
    const auto running = std::make_shared<running_operation>();
    boost::asio::co_spawn(
        w.io, running_operation::run(w, &o, running),
        boost::asio::bind_cancellation_slot(
            running->cancel.slot(), [running](std::exception_ptr e) {
                running->done = true;
                running->failure = e;
            }));
    while (!running->begun) w.step();
    std::size_t steps = 0;
    const auto step = [&] {
        return w.step() || (o.takes_time && w.io.run_one_for(std::chrono::seconds{10}) > 0);
    };
    while (steps < n && !running->done && step()) ++steps;
    if (how == interruption::destroyed) return steps == n;

    if (how == interruption::cancelled)
        running->cancel.emit(boost::asio::cancellation_type::terminal);
    else
        o.close(w);
    // Nothing that the server does is needed for it to end.
    w.drive([&] { return running->done; }, [&] { return w.step_client(); });
    const bool too_late = succeeded(*running, how);
    w.server.send_at_most(1 << 20);
    if (o.check) o.check(w, how, too_late);
    w.listener.reset();
    w.lent.reset();
    w.connection.reset();
    w.pool.reset();
    w.drive([&] { return w.server.sessions() == 0; }, [&] { return w.step(); });
    return steps == n;
}

/// Interrupts it at every point, in every way; tells how many there were.
inline void interrupt_everywhere(const std::string& name, const interrupted_operation& o)
{
    std::size_t most = 0;
    for (const auto how :
         {interruption::cancelled, interruption::closed, interruption::destroyed}) {
        if (how == interruption::closed && !o.close) continue;
        std::size_t n = 0;
        for (bool more = true; more; ++n) {
            INFO(name, ", interruption ", static_cast<int>(how), " after handler ", n);
            const std::size_t before = open_descriptors();
            more = interrupt(o, how, n);
            REQUIRE(open_descriptors() == before);
        }
        most = std::max(most, n);
    }
    CHECK(most > 1);
    MESSAGE(name, ": ", most, " points");
}

} // namespace perdure::test
