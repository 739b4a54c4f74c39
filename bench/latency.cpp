// How long an idle installation takes from a client's start of a one-activity workflow to its
// result, client and worker in two processes, beside the floor: NOTIFY to LISTEN between two bare
// libpq connections, in the same run and with the same pause between iterations (idle cores wake
// slowly).
//
//   perdure_bench_latency [iterations] [pause in milliseconds] [data directory]
//
// What the disk takes for a commit is printed too: a one-activity workflow waits for four of them.
#include <perdure/client/client.hpp>
#include <perdure/dev/server.hpp>
#include <perdure/engine/rethrow.hpp>
#include <perdure/store/migrate.hpp>
#include <perdure/worker/worker.hpp>
#include <perdure/workflow/context.hpp>
#include <perdure/workflow/definitions.hpp>
#include <perdure/workflow/task.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <libpq-fe.h>

#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace asio = boost::asio;
using clock_type = std::chrono::steady_clock;
using microseconds = std::chrono::duration<double, std::micro>;

namespace {

constexpr perdure::workflow<"one-step", std::string(std::string)> one_step;
constexpr perdure::activity<"echo", std::string(std::string)> echo;

perdure::task<std::string> run_one_step(perdure::context ctx, std::string text)
{
    std::string answer = co_await ctx.run(echo(text));
    co_return answer;
}

asio::awaitable<std::string> run_echo(perdure::activity_context, std::string text)
{
    co_return text;
}

int work(const std::string& dsn)
{
    asio::io_context io{1};
    perdure::engine engine{io, dsn};
    perdure::worker worker{engine};
    worker.implement(one_step, run_one_step);
    worker.implement(echo, run_echo);
    asio::co_spawn(io, worker.run(), perdure::rethrow);
    io.run();
    return 0;
}

pid_t start_worker(const std::string& dsn)
{
    const pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execl("/proc/self/exe", "perdure_bench_latency", "--worker", dsn.c_str(), nullptr);
        _exit(127);
    }
    return child;
}

/// Two bare connections: one notifies, the other listens.
class floor_pair
{
public:
    explicit floor_pair(const std::string& dsn) : from_{connect(dsn)}, to_{connect(dsn)}
    {
        execute(to_.get(), "listen floor");
        execute(from_.get(), "create table floor (n integer)");
    }

    /// A durable commit of one row.
    microseconds commit()
    {
        const auto begun = clock_type::now();
        execute(from_.get(), "insert into floor values (1)");
        return clock_type::now() - begun;
    }

    microseconds notify()
    {
        const auto begun = clock_type::now();
        execute(from_.get(), "notify floor");
        for (;;) {
            PQconsumeInput(to_.get());
            if (PGnotify* heard = PQnotifies(to_.get())) {
                PQfreemem(heard);
                return clock_type::now() - begun;
            }
            pollfd readable{PQsocket(to_.get()), POLLIN, 0};
            poll(&readable, 1, 1000);
        }
    }

private:
    using connection = std::unique_ptr<PGconn, decltype(&PQfinish)>;

    static connection connect(const std::string& dsn)
    {
        connection made{PQconnectdb(dsn.c_str()), &PQfinish};
        if (PQstatus(made.get()) != CONNECTION_OK)
            throw std::runtime_error{PQerrorMessage(made.get())};
        return made;
    }

    static void execute(PGconn* on, const char* sql) { PQclear(PQexec(on, sql)); }

    connection from_;
    connection to_;
};

double percentile(std::vector<double> values, double share)
{
    std::sort(values.begin(), values.end());
    return values[static_cast<std::size_t>(share * static_cast<double>(values.size() - 1))];
}

void report(const char* what, const std::vector<double>& values)
{
    std::printf(
        "%-34s p50 %7.0f us   p95 %7.0f us   p99 %7.0f us\n", what, percentile(values, 0.5),
        percentile(values, 0.95), percentile(values, 0.99));
}

asio::awaitable<void> measure(
    perdure::engine& engine, std::string dsn, int iterations, std::chrono::milliseconds pause)
{
    perdure::client client{engine};
    floor_pair bare{dsn};
    asio::steady_timer timer{engine.get_executor()};
    std::vector<double> workflows;
    std::vector<double> floor;
    std::vector<double> commits;
    constexpr int warm_up = 100;
    for (int i = -warm_up; i < iterations; ++i) {
        timer.expires_after(pause);
        co_await timer.async_wait(asio::use_awaitable);
        const auto begun = clock_type::now();
        auto started = co_await client.start(one_step("hello"));
        co_await started.result();
        const microseconds taken = clock_type::now() - begun;
        timer.expires_after(pause);
        co_await timer.async_wait(asio::use_awaitable);
        const microseconds bare_taken = bare.notify();
        timer.expires_after(pause);
        co_await timer.async_wait(asio::use_awaitable);
        const microseconds commit_taken = bare.commit();
        if (i < 0) continue;
        workflows.push_back(taken.count());
        floor.push_back(bare_taken.count());
        commits.push_back(commit_taken.count());
    }
    std::printf(
        "%d iterations, %lld ms pause before each\n", iterations,
        static_cast<long long>(pause.count()));
    report("start -> result, one activity", workflows);
    report("NOTIFY -> LISTEN, bare libpq", floor);
    report("one-row INSERT, bare libpq", commits);
}

asio::awaitable<void> migrate(std::string dsn)
{
    perdure::pg::connection_options options{std::move(dsn)};
    perdure::pg::connection session = co_await perdure::pg::connection::connect(std::move(options));
    co_await perdure::store::migrate(session, "perdure");
}

} // namespace

int main(int argc, char** argv)
try {
    const std::vector<std::string> arguments(argv + 1, argv + argc);
    if (arguments.size() == 2 && arguments[0] == "--worker") return work(arguments[1]);
    const int iterations = arguments.empty() ? 1000 : std::stoi(arguments[0]);
    const std::chrono::milliseconds pause{arguments.size() < 2 ? 5 : std::stoi(arguments[1])};

    perdure::dev::server_options options;
    if (arguments.size() > 2) options.data_directory(arguments[2]);
    perdure::dev::server server{options};
    const std::string dsn = server.dsn();
    asio::io_context io{1};
    asio::co_spawn(io, migrate(dsn), perdure::rethrow);
    io.run();
    const pid_t worker = start_worker(dsn);
    {
        perdure::engine engine{io, dsn};
        asio::co_spawn(io, measure(engine, dsn, iterations, pause), perdure::rethrow);
        io.restart();
        io.run();
    }
    kill(worker, SIGKILL);
    waitpid(worker, nullptr, 0);
} catch (const std::exception& failure) {
    std::fprintf(stderr, "perdure_bench_latency: %s\n", failure.what());
    return 1;
}
