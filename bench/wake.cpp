// NOTIFY against polling: how long from a client's start of an instance to its activity's first line,
// and what the waiting costs. Beside it the floor: two commits, a claim and a notification of bare
// libpq, with the same pause before each.
#include "benchmarks.hpp"
#include "fleet.hpp"
#include "installation.hpp"
#include "interrupt.hpp"
#include "progress.hpp"

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

namespace bench {

namespace {

constexpr int pause_microseconds = 5000;

struct way
{
    const char* name;
    notification announces;
    int poll_milliseconds;
};

std::vector<way> ways_to_wake(const options& how)
{
    std::vector<way> ways{
        {"notify", notification::coalesced, 500},
        {"poll10", notification::none, 10},
        {"poll50", notification::none, 50},
        {"poll200", notification::none, 200}};
    if (!how.quick) ways.push_back({"poll1000", notification::none, 1000});
    return ways;
}

std::vector<int> rates_of(const options& how)
{
    if (how.quick) return {10, 300};
    return {1, 10, 100, 300, 1000};
}

std::string row_of(int rate, const way& each)
{
    return "rate" + std::to_string(rate) + "." + each.name;
}

/// One way to wake, with a worker and a client of its own.
class lane
{
public:
    lane(installation& on, const way& which, const options& how, report& to)
        : on_{on},
          way_{which},
          how_{how},
          to_{to},
          workers_{1, setup(on.worker_dsn())},
          client_{start_client(setup(on.client_dsn()))}
    {}

    /// Until connections and plans are there.
    void warm_up()
    {
        loop(how_.quick ? 20 : 100, std::chrono::seconds{2});
        workers_.take();
    }

    /// One after the other, with a pause before each, to the result. Where a poll finds the task, the
    /// pause is long enough for starts to fall anywhere between two polls.
    void idle()
    {
        const std::string row = std::string{"idle."} + way_.name;
        loop(how_.quick ? 50 : 2000, how_.seconds_or(20.0, 1.0));
        to_.add_latencies(row, workers_.take(), {50, 99, 99.9});
        // What a client that awaits a result asked for is not to be counted.
        client_.kill();
        if (way_.announces != notification::none) on_.await_rest();
        stretch nothing{on_, workers_};
        pause(how_.seconds_or(10.0, 1.0));
        nothing.add(to_, row);
        client_ = start_client(setup(on_.client_dsn()));
        client_.ask("rate 10 0.3");
        workers_.collect(3, std::chrono::seconds{5});
    }

    void at_rate(int rate)
    {
        const std::string row = row_of(rate, way_);
        const double shortest = how_.quick ? 1.0 : 15.0; // enough of them where they are rare
        const double seconds =
            std::max(how_.seconds_or(5.0, 1.0).count(), std::min(shortest, shortest / rate));
        stretch work{on_, workers_};
        const std::vector<double> started = client_.ask(
            "rate " + std::to_string(rate) + " " + std::to_string(seconds),
            std::chrono::duration<double>{seconds + 60.0});
        const auto expected = static_cast<std::size_t>(started.at(0) - started.at(1));
        const std::vector<double> samples = workers_.collect(expected, std::chrono::seconds{15});
        to_.add_latencies(row, samples, {50, 95, 99});
        work.add(to_, row);
        if (samples.size() < expected || started.at(1) > 0)
            to_.note(
                row + ": " + std::to_string(samples.size()) + " of " +
                std::to_string(static_cast<std::size_t>(started.at(0))) +
                " tasks were picked up in time");
    }

private:
    role_setup setup(const std::string& dsn) const
    {
        role_setup result;
        result.dsn = dsn;
        result.announce(way_.announces)
            .poll_every(std::chrono::milliseconds{way_.poll_milliseconds});
        return result;
    }

    void loop(int iterations, std::chrono::duration<double> limit)
    {
        const int jitter = way_.announces == notification::none ? way_.poll_milliseconds * 1000 : 0;
        client_.ask(
            "loop " + std::to_string(iterations) + " " + std::to_string(pause_microseconds) + " " +
                std::to_string(jitter) + " " + std::to_string(limit.count()),
            limit + std::chrono::seconds{60});
    }

    installation& on_;
    way way_;
    const options& how_;
    report& to_;
    fleet workers_;
    process client_;
};

void measure_floor(installation& on, const options& how, report& to)
{
    process bare = start_bare(on.dsn());
    const std::string pause_and_limit = " " + std::to_string(pause_microseconds) + " " +
                                        std::to_string(how.seconds_or(20.0, 1.0).count());
    bare.ask("wake 100" + pause_and_limit);
    to.add_latencies(
        "idle.floor", bare.ask((how.quick ? "wake 50" : "wake 2000") + pause_and_limit),
        {50, 99, 99.9});
}

void show_pictures(const options& how, report& to)
{
    panel late{
        "From start to activity, p99",
        {"tasks/s", scale::logarithmic},
        {"us", scale::logarithmic},
        {}};
    panel cost{
        "Processor time of server and worker",
        {"tasks/s", scale::logarithmic},
        {"% of one processor", scale::linear},
        {}};
    for (const way& each : ways_to_wake(how)) {
        curve latency{each.name, {}};
        curve processor{each.name, {}};
        for (const int rate : rates_of(how)) {
            const std::string row = row_of(rate, each);
            latency.points.emplace_back(rate, to.median_of(row + ".p99_us"));
            processor.points.emplace_back(
                rate, to.median_of(row + ".server_cpu_percent") +
                          to.median_of(row + ".worker_cpu_percent"));
        }
        late.curves.push_back(std::move(latency));
        cost.curves.push_back(std::move(processor));
    }
    to.show(std::move(late));
    to.show(std::move(cost));
}

} // namespace

void measure_wake(const options& how, report& to)
{
    const int repeats = how.repeats_or(3);
    const std::vector<way> ways = ways_to_wake(how);
    const std::vector<int> rates = rates_of(how);
    installation on{how, to};
    to.set("pause before each, ms", pause_microseconds / 1000.0);
    to.set("repeats", repeats);
    to.print_settings();

    progress bar{repeats * static_cast<int>(1 + ways.size() * (1 + rates.size()))};
    for (int repeat = 0; repeat < repeats; ++repeat) {
        bar.step("floor");
        measure_floor(on, how, to);
        for (const way& each : ways) {
            bar.step(std::string{each.name} + ", idle");
            on.empty(); // nobody is to begin with what another could not do in time
            lane here{on, each, how, to};
            here.warm_up();
            on.vacuum();
            here.idle();
            for (const int rate : rates) {
                bar.step(std::string{each.name} + " at " + std::to_string(rate) + "/s");
                here.at_rate(rate);
            }
        }
    }
    show_pictures(how, to);
}

} // namespace bench
