// A rolling upgrade: an older build of this example works, the database is migrated under it, and
// this build joins it. Both serve the same orders; at the end the books must be right.
#include "child.hpp"
#include "report.hpp"
#include "story.hpp"

#include <perdure/dev/server.hpp>
#include <perdure/engine/rethrow.hpp>
#include <perdure/pg/pool.hpp>
#include <perdure/store/migrate.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <iostream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace asio = boost::asio;
namespace fs = std::filesystem;
namespace pg = perdure::pg;
using demo::child;
using namespace std::chrono_literals;

namespace {

constexpr std::chrono::milliseconds lease{2000};
constexpr double share_before = 0.25; // of the old client's orders, done before the migration

/// Where a build has its programs.
struct build
{
    explicit build(const fs::path& directory)
        : command{directory / "tools/perdure/perdure"}, examples{directory / "examples/checkout"}
    {}

    fs::path command;
    fs::path examples;
};

class upgrade
{
public:
    upgrade(asio::io_context& io, std::string dsn, build from, build to)
        : executor_{io.get_executor()},
          from_{std::move(from)},
          to_{std::move(to)},
          database_{executor_, pg::pool_options{pg::connection_options{std::move(dsn)}}}
    {}

    /// Does everything. Throws when something ends that should not, or the books are wrong.
    asio::awaitable<void> all()
    {
        child migrate = start({from_.command.string(), "migrate"});
        co_await end_of(migrate, "the old version's migration");

        child old_worker = start_worker(from_, "old");
        child old_client = start_client(from_, "old");
        asio::co_spawn(executor_, watch(old_worker, "the old worker"), perdure::rethrow);
        co_await follow(old_client, share_before);

        co_await migrate_to_new();
        child new_worker = start_worker(to_, "new");
        child new_client = start_client(to_, "new");
        asio::co_spawn(executor_, watch(new_worker, "the new worker"), perdure::rethrow);
        using namespace asio::experimental::awaitable_operators;
        co_await (follow(old_client, 1) && follow(new_client, 1));

        leaving_ = true;
        old_worker.kill(SIGTERM);
        new_worker.kill(SIGTERM);
        while (old_worker.running() || new_worker.running()) {
            asio::steady_timer moment{executor_, 10ms};
            co_await moment.async_wait(asio::use_awaitable);
        }
        co_await check();
    }

private:
    child start(std::vector<std::string> command) const
    {
        return {executor_, std::move(command), "/dev/stderr"};
    }

    child start_worker(const build& of, const std::string& name) const
    {
        const auto program = of.examples / "perdure_checkout_worker";
        return start({program.string(), name, std::to_string(lease.count())});
    }

    child start_client(const build& of, const std::string& name) const
    {
        const auto program = of.examples / "perdure_checkout_client";
        return start({program.string(), (to_.examples / "orders.jsonl").string(), name + "-"});
    }

    static asio::awaitable<void> end_of(child& process, std::string what)
    {
        while (process.running()) co_await process.read_line();
        if (!process.succeeded()) throw std::runtime_error{what + " ended with " + process.end()};
    }

    /// Throws as soon as a worker ends that was not asked to, or that fails.
    asio::awaitable<void> watch(child& worker, std::string what)
    {
        co_await end_of(worker, what);
        if (!leaving_) throw std::runtime_error{what + " has left"};
    }

    /// Takes in what a client says until it has ended, or this share of its orders is done.
    asio::awaitable<void> follow(child& client, double share)
    {
        for (;;) {
            const std::optional<std::string> line = co_await client.read_line();
            if (!line) break;
            const std::chrono::duration<double> now =
                std::chrono::system_clock::now().time_since_epoch();
            story_.heed(*line, now.count());
            const double due = share * static_cast<double>(story_.expected);
            if (share < 1 && static_cast<double>(story_.finished()) >= due && due > 0) co_return;
        }
        if (!client.succeeded()) throw std::runtime_error{"a client ended with " + client.end()};
    }

    asio::awaitable<void> migrate_to_new()
    {
        auto session = co_await database_.acquire();
        const auto applied = co_await perdure::store::migrate(*session, "perdure");
        std::cout << story_.finished() << " orders are done; migrated under the old worker:";
        for (const pg::applied_migration& each : applied) std::cout << ' ' << each.name;
        std::cout << (applied.empty() ? " nothing to do" : "") << std::endl;
    }

    asio::awaitable<void> check()
    {
        const std::vector<demo::entry> ledger = co_await demo::read_ledger(database_, "");
        const demo::report result{story_, ledger, lease};
        demo::print(std::cout, story_, result, lease);
        if (!result.good()) throw std::runtime_error{"the books are wrong"};
        if (result.changed_worker == 0)
            throw std::runtime_error{"there is no order on which both workers worked"};
    }

    asio::any_io_executor executor_;
    build from_;
    build to_;
    pg::pool database_;
    demo::story story_;
    bool leaving_ = false;
};

} // namespace

int main(int argc, char** argv)
try {
    if (argc != 2)
        throw std::invalid_argument{"usage: perdure_checkout_upgrade DIRECTORY OF AN OLDER BUILD"};
    const build from{fs::absolute(argv[1])};
    const build to{fs::read_symlink("/proc/self/exe").parent_path() / "../.."};
    const perdure::dev::server server;
    ::setenv("PERDURE_DSN", server.dsn().c_str(), 1); // for the processes that are started

    asio::io_context io{1};
    upgrade work{io, server.dsn(), from, to};
    asio::co_spawn(io, work.all(), [&](std::exception_ptr failure) {
        io.stop();
        if (failure) std::rethrow_exception(failure);
    });
    io.run_for(120s);
    if (!io.stopped()) throw std::runtime_error{"not done after 120 s"};
} catch (const std::exception& failure) {
    std::cerr << "perdure_checkout_upgrade: " << failure.what() << '\n';
    return EXIT_FAILURE;
}
