// How long an idle installation takes from a client's start of a one-activity workflow to its result,
// client and worker in two processes, beside what PostgreSQL takes for a notification and for a commit,
// in the same run and with the same pause before each (idle cores wake slowly).
#include "benchmarks.hpp"
#include "fleet.hpp"
#include "installation.hpp"
#include "progress.hpp"

#include <algorithm>
#include <string>
#include <vector>

namespace bench {

namespace {

constexpr int pause_microseconds = 5000;
constexpr int chunk = 100; // of each in turn, so that what else the machine does meets all alike

void append(std::vector<double>& to, const std::vector<double>& more)
{
    to.insert(to.end(), more.begin(), more.end());
}

} // namespace

void measure_latency(const options& how, report& to)
{
    const int iterations = how.quick ? 100 : 1000;
    const int repeats = how.repeats_or(3);
    installation on{how, to};
    to.set("pause before each, ms", pause_microseconds / 1000.0);
    to.set("iterations", iterations);
    to.set("repeats", repeats);
    to.print_settings();

    role_setup setup;
    setup.dsn = on.worker_dsn();
    const fleet workers{1, setup};
    setup.dsn = on.client_dsn();
    process client = start_client(setup);
    process bare = start_bare(on.dsn());
    const auto rounds = [](const char* what, int count) {
        return std::string{what} + " " + std::to_string(count) + " " +
               std::to_string(pause_microseconds);
    };
    const std::string workflow = rounds("loop", chunk) + " 0 30";
    const std::string notify = rounds("notify", chunk) + " 30";
    const std::string commit = rounds("commit", chunk) + " 30";
    client.ask(workflow);
    bare.ask(notify);
    bare.ask(commit);
    on.vacuum();

    progress bar{repeats * std::max(1, iterations / chunk)};
    std::vector<double> all;
    for (int repeat = 0; repeat < repeats; ++repeat) {
        std::vector<double> workflows;
        std::vector<double> notifications;
        std::vector<double> commits;
        for (int done = 0; done < iterations; done += chunk) {
            bar.step("start to result");
            append(workflows, client.ask(workflow));
            append(notifications, bare.ask(notify));
            append(commits, bare.ask(commit));
        }
        to.add_latencies("start_to_result", workflows, {50, 95, 99});
        to.add_latencies("notify_to_listen", notifications, {50, 95, 99});
        to.add_latencies("commit", commits, {50, 95, 99});
        append(all, workflows);
    }
    std::sort(all.begin(), all.end());
    curve shares{"start to result", {}};
    for (std::size_t i = 0; i < all.size(); ++i)
        shares.points.emplace_back(
            all[i] / 1000.0, 100.0 * static_cast<double>(i + 1) / static_cast<double>(all.size()));
    panel picture{
        "From start to result", {"ms", scale::logarithmic}, {"% of workflows", scale::linear}, {}};
    picture.curves.push_back(std::move(shares));
    to.show(std::move(picture));
}

} // namespace bench
