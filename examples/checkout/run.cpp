#include "run.hpp"

#include "report.hpp"

#include <perdure/engine/rethrow.hpp>
#include <perdure/store/migrate.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <exception>
#include <iostream>
#include <sstream>
#include <utility>
#include <vector>

namespace demo {

namespace asio = boost::asio;
namespace pg = perdure::pg;
using namespace std::chrono_literals;

namespace {

/// Seconds since 1970.
double now()
{
    return std::chrono::duration<double>{std::chrono::system_clock::now().time_since_epoch()}
        .count();
}

bool on_terminal()
{
    return ::isatty(STDOUT_FILENO) != 0;
}

asio::awaitable<void> wait(asio::steady_timer& timer, std::chrono::milliseconds time)
{
    boost::system::error_code cancelled;
    timer.expires_after(time);
    co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, cancelled));
}

} // namespace

run::run(asio::io_context& io, options chosen, surroundings where)
    : options_{std::move(chosen)},
      where_{std::move(where)},
      database_{io.get_executor(), pg::pool_options{pg::connection_options{where_.dsn}}},
      stop_{io, SIGINT, SIGTERM},
      limit_{io},
      progress_{io},
      kill_{io}
{}

asio::awaitable<int> run::all()
{
    auto session = co_await database_.acquire();
    co_await perdure::store::migrate(*session, "perdure");
    session.release();

    stop_.async_wait([this](boost::system::error_code cancelled, int) {
        if (cancelled) return;
        stopped_ = true;
        give_up("stopped");
    });
    limit(90s, "not done after 90 s");
    start();
    co_await follow_client();

    ending_ = true;
    kill_.cancel();
    progress_.cancel();
    say(progress());
    co_await end_workers();
    limit_.cancel();
    stop_.cancel();
    co_return co_await report_end();
}

void run::start()
{
    const auto executor = database_.get_executor();
    for (std::size_t i = 0; i < workers_.size(); ++i) {
        const std::string name = "worker-" + std::to_string(i + 1);
        const std::vector<std::string> command{
            where_.programs + "/perdure_checkout_worker", name, std::to_string(lease.count())};
        workers_[i] = std::make_unique<child>(executor, command, where_.logs + "/" + name);
        say(name + " is process " + std::to_string(workers_[i]->pid()));
        asio::co_spawn(executor, follow_worker(i), perdure::rethrow);
    }
    const std::vector<std::string> command{
        where_.programs + "/perdure_checkout_client", where_.programs + "/orders.jsonl",
        where_.prefix};
    client_ = std::make_unique<child>(executor, command, where_.logs + "/client");
    asio::co_spawn(executor, show_progress(), perdure::rethrow);
}

asio::awaitable<void> run::follow_client()
{
    for (;;) {
        const std::optional<std::string> line = co_await client_->read_line();
        if (!line) break;
        story_.heed(*line, now());
        const double due = options_.kill_after * static_cast<double>(story_.expected);
        if (!killing_ && !story_.orders.empty() && static_cast<double>(story_.finished()) >= due)
            kill_worker_soon();
    }
    if (!client_->succeeded()) give_up("the client ended with " + client_->end());
}

asio::awaitable<void> run::follow_worker(std::size_t which)
{
    child& worker = *workers_[which];
    while (worker.running()) co_await worker.read_line();
    if (ending_) progress_.cancel(); // end_workers() waits
    if (!worker.succeeded() && worker.end() != "signal 9")
        give_up("worker-" + std::to_string(which + 1) + " ended with " + worker.end());
}

void run::kill_worker_soon()
{
    killing_ = true;
    kill_.expires_after(options_.delay);
    kill_.async_wait([this](boost::system::error_code cancelled) {
        if (!cancelled && !ending_) kill_worker();
    });
}

void run::kill_worker()
{
    const std::size_t which = options_.seed % workers_.size();
    workers_[which]->kill(SIGKILL);
    story_.killed_at = now();
    say("worker-" + std::to_string(which + 1) + " killed with SIGKILL when " +
        std::to_string(story_.finished()) + " of " + std::to_string(story_.expected) +
        " orders were done");
}

asio::awaitable<void> run::end_workers()
{
    limit(15s, "a worker did not drain");
    for (const auto& worker : workers_) worker->kill(gave_up_.empty() ? SIGTERM : SIGKILL);
    const auto running = [](const auto& worker) { return worker->running(); };
    while (std::any_of(workers_.begin(), workers_.end(), running)) co_await wait(progress_, 1000ms);
}

asio::awaitable<int> run::report_end()
{
    if (stopped_) {
        say("stopped");
        co_return exit_stopped;
    }
    if (!gave_up_.empty()) {
        std::cerr << "perdure_checkout_demo: " << gave_up_ << "; what the processes said is in "
                  << where_.logs << '\n';
        co_return 1;
    }
    const std::vector<entry> ledger = co_await read_ledger(database_, where_.prefix);
    const report result{story_, ledger, lease};
    std::cout << '\n';
    print(std::cout, story_, result, lease);
    std::cout.flush();
    co_return result.good() ? 0 : 1;
}

void run::give_up(std::string why)
{
    if (gave_up_.empty()) gave_up_ = std::move(why);
    if (client_) client_->kill(SIGKILL); // which ends follow_client()
    if (!ending_) return;
    for (const auto& worker : workers_) worker->kill(SIGKILL);
}

void run::limit(std::chrono::seconds time, std::string why)
{
    limit_.expires_after(time);
    limit_.async_wait([this, why = std::move(why)](boost::system::error_code cancelled) {
        if (!cancelled) give_up(why);
    });
}

asio::awaitable<void> run::show_progress()
{
    while (!ending_) {
        if (on_terminal())
            std::cout << '\r' << progress() << "\x1b[K" << std::flush;
        else
            say(progress());
        co_await wait(progress_, on_terminal() ? 100ms : 1000ms);
    }
}

std::string run::progress() const
{
    std::ostringstream line;
    line << story_.orders.size() << " of " << story_.expected << " orders placed, "
         << story_.count(outcome::shipped) << " shipped, " << story_.count(outcome::refunded)
         << " refunded, " << story_.count(outcome::declined) << " declined";
    return line.str();
}

void run::say(const std::string& line)
{
    std::cout << (on_terminal() ? "\r" : "") << line << (on_terminal() ? "\x1b[K" : "")
              << std::endl;
}

} // namespace demo
