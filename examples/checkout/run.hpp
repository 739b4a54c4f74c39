// The demo itself: two workers and a client, from start to end.
#pragma once

#include "child.hpp"
#include "options.hpp"
#include "story.hpp"

#include <perdure/pg/pool.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

namespace demo {

/// What a run works with.
struct surroundings
{
    std::string dsn;
    std::string programs; // directory of the worker, the client and the file of orders
    std::string logs;     // directory for what the processes write to standard error
    std::string prefix;   // of the orders' ids, new in each run that uses the same database
};

/// What a program that was stopped by Ctrl-C exits with.
inline constexpr int exit_stopped = 130;

/// How long a killed worker's tasks stay its own. Short, so that there is something to see.
inline constexpr std::chrono::milliseconds lease{2000};

class run
{
public:
    run(boost::asio::io_context& io, options chosen, surroundings where);

    /// Does everything, and returns what the process should exit with.
    boost::asio::awaitable<int> all();

private:
    void start();
    boost::asio::awaitable<void> follow_client();
    boost::asio::awaitable<void> follow_worker(std::size_t which);
    boost::asio::awaitable<void> show_progress();
    boost::asio::awaitable<void> end_workers();
    boost::asio::awaitable<int> report_end();
    void kill_worker();
    void kill_worker_soon();
    void give_up(std::string why);
    void limit(std::chrono::seconds time, std::string why);
    std::string progress() const;
    void say(const std::string& line);

    options options_;
    surroundings where_;
    perdure::pg::pool database_;
    boost::asio::signal_set stop_;
    boost::asio::steady_timer limit_;
    boost::asio::steady_timer progress_;
    boost::asio::steady_timer kill_;
    std::array<std::unique_ptr<child>, 2> workers_;
    std::unique_ptr<child> client_;
    story story_;
    std::string gave_up_;
    bool killing_ = false;
    bool ending_ = false;
    bool stopped_ = false;
};

} // namespace demo
