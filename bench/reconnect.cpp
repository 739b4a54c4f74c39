// How soon workers are back after an outage: the server is stopped and started, and from the moment that
// it accepts connections the time runs until each worker runs its first activity. Before the outage
// instances are started that come due before, in and after it; none may be lost.
#include "benchmarks.hpp"
#include "fleet.hpp"
#include "installation.hpp"
#include "interrupt.hpp"
#include "progress.hpp"
#include "statistics.hpp"
#include "workflows.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <vector>

namespace bench {

namespace {

constexpr std::size_t processes = 4;
constexpr int naps = 20; // for each worker, over the outage and 3 s more

class outages
{
public:
    explicit outages(installation& on) : on_{on}, workers_{setups(on.worker_dsn())}
    {
        on.await_sessions(2 * processes);
        on.await_rest();
    }

    /// Milliseconds until each worker was back.
    std::vector<double> suffer(std::chrono::duration<double> outage)
    {
        const int longest = static_cast<int>(outage.count() * 1000.0) + 3000;
        {
            std::vector<process> starters; // there until all they have to say was heard
            for (const role_setup& setup : setups(on_.client_dsn()))
                starters.push_back(start_client(setup));
            for (process& each : starters)
                each.ask("nap " + std::to_string(naps) + " " + std::to_string(longest));
            await_none("state = 0 and history_length < 3"); // all timers run
        }
        workers_.ask_each("instants");

        // Clients that connect when they are asked to, so that none of them waits to try again.
        std::vector<process> clients;
        for (const role_setup& setup : setups(on_.client_dsn()))
            clients.push_back(start_client(setup));
        on_.server().stop();
        pause(outage);
        on_.server().start();
        const auto accepting = static_cast<double>(steady_nanoseconds());
        on_.reconnect();
        for (process& each : clients) each.send("rate 100 0.01");
        for (process& each : clients) {
            const std::vector<double> started = each.answer(std::chrono::seconds{60});
            if (started.at(1) > 0)
                throw std::runtime_error{"a start failed after the server was there again"};
        }
        await_none("state <> 1");
        std::vector<double> waited;
        for (const std::vector<double>& instants : workers_.ask_each("instants")) {
            const auto back = std::find_if(
                instants.begin(), instants.end(), [&](double each) { return each >= accepting; });
            if (back != instants.end()) waited.push_back((*back - accepting) / 1e6);
        }
        if (waited.size() < processes)
            throw std::runtime_error{"a worker did nothing more after an outage"};
        return waited;
    }

    /// Instances that have not finished a minute after the last outage.
    double unfinished() { return count("state <> 1"); }

private:
    /// A queue for each worker, so that nobody works for another.
    static std::vector<role_setup> setups(const std::string& dsn)
    {
        std::vector<role_setup> all;
        for (std::size_t i = 0; i < processes; ++i) {
            role_setup& setup = all.emplace_back();
            setup.dsn = dsn;
            setup.on_queue("reconnect-" + std::to_string(i));
        }
        return all;
    }

    double count(const std::string& condition)
    {
        return on_.admin().number("select count(*) from perdure.instances where " + condition);
    }

    void await_none(const std::string& condition)
    {
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{60};
        while (count(condition) > 0 && std::chrono::steady_clock::now() < deadline)
            pause(std::chrono::milliseconds{100});
    }

    installation& on_;
    fleet workers_;
};

} // namespace

void measure_reconnect(const options& how, report& to)
{
    const std::vector<double> lengths =
        how.quick ? std::vector<double>{1.0} : std::vector<double>{1.0, 10.0, 60.0};
    const int repeats = how.repeats_or(3);
    installation on{how, to};
    to.set("worker processes", static_cast<double>(processes));
    to.set("repeats", repeats);
    to.print_settings();

    outages all{on};
    on.vacuum();
    progress bar{repeats * static_cast<int>(lengths.size())};
    std::vector<double> every;
    for (int repeat = 0; repeat < repeats; ++repeat) {
        for (const double length : lengths) {
            char name[32];
            std::snprintf(name, sizeof name, "outage%g_", length);
            bar.step("an outage of " + std::to_string(length) + " s");
            const std::vector<double> waited = all.suffer(std::chrono::duration<double>{length});
            to.add(std::string{name} + "p50_ms", percentile(waited, 0.50));
            to.add(std::string{name} + "most_ms", percentile(waited, 1.00));
            every.insert(every.end(), waited.begin(), waited.end());
        }
    }
    to.add("first_wake_ms", percentile(every, 0.95));
    to.add("lost", all.unfinished());

    panel picture{
        "From accepting connections to the first activity",
        {"outages, all workers", scale::linear},
        {"ms", scale::linear},
        {}};
    curve waits{"first wake", {}};
    for (std::size_t i = 0; i < every.size(); ++i)
        waits.points.emplace_back(1.0 + static_cast<double>(i), every[i]);
    picture.curves.push_back(std::move(waits));
    to.show(std::move(picture));
}

} // namespace bench
