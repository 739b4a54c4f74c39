// What idle workers ask of the server and write to it: with nothing to come, and with very many timers
// that sleep.
#include "benchmarks.hpp"
#include "fleet.hpp"
#include "installation.hpp"
#include "interrupt.hpp"
#include "progress.hpp"
#include "sleepers.hpp"

#include <chrono>
#include <string>

namespace bench {

namespace {

constexpr const char* queue = "idle";
constexpr std::size_t processes = 4;

/// Workers that have worked, and have nothing more to do.
void observe(
    installation& on, const options& how, report& to, const std::string& prefix,
    std::chrono::duration<double> seconds)
{
    role_setup setup;
    setup.on_queue(queue);
    if (how.quick) setup.lease = std::chrono::seconds{1};
    setup.dsn = on.worker_dsn();
    fleet workers{processes, setup};
    on.await_sessions(processes);
    setup.dsn = on.client_dsn();
    process client = start_client(setup);
    client.ask(how.quick ? "loop 10 1000 0 10" : "loop 100 5000 0 30");
    client.kill();
    // When the lease of a last claim would have ended is looked once more.
    pause(setup.lease + std::chrono::milliseconds{500});
    on.await_rest();

    const counters before = on.count();
    pause(seconds);
    const counters after = on.count();
    const double intervals =
        std::chrono::duration<double>(after.at - before.at).count() / 30.0 * processes;
    to.add(prefix + "xids", after.transaction_ids - before.transaction_ids);
    to.add(
        prefix + "reads_per_30s", (after.worker_statements - before.worker_statements) / intervals);
    to.add(prefix + "wal_records", after.worker_wal_records - before.worker_wal_records);
}

} // namespace

void measure_idle(const options& how, report& to)
{
    const int timers = how.quick ? 2000 : 20000;
    const int repeats = how.repeats_or(1);
    const std::chrono::duration<double> seconds = how.seconds_or(120.0, 5.0);
    // Autovacuum uses transaction ids of its own, which cannot be told from others.
    installation on{how, to, {{"autovacuum", "off"}}};
    to.set("worker processes", static_cast<double>(processes));
    to.set("seconds", seconds.count());
    to.set("sleeping timers", timers);
    to.set("repeats", repeats);
    to.print_settings();

    progress bar{2 * repeats};
    for (int repeat = 0; repeat < repeats; ++repeat) {
        bar.step("nothing to come");
        on.vacuum();
        observe(on, how, to, "", seconds);
        bar.step(std::to_string(timers) + " timers sleep");
        start_template(on, queue);
        copy_sleepers(on, timers, "now() + interval '30 days'", "interval '1 second'");
        on.vacuum();
        observe(on, how, to, "timers.", seconds);
        on.empty();
    }
    panel picture{
        "Statements of an idle process",
        {"sleeping timers", scale::linear},
        {"in 30 s", scale::linear},
        {}};
    curve reads{"statements", {}};
    reads.points.emplace_back(0.0, to.median_of("reads_per_30s"));
    reads.points.emplace_back(timers, to.median_of("timers.reads_per_30s"));
    picture.curves.push_back(std::move(reads));
    to.show(std::move(picture));
}

} // namespace bench
