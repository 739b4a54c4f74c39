// How late timers fire while very many others sleep: from the instant a timer is due to the line behind
// its co_await.
#include "benchmarks.hpp"
#include "fleet.hpp"
#include "installation.hpp"
#include "interrupt.hpp"
#include "progress.hpp"
#include "sleepers.hpp"
#include "statistics.hpp"

#include <algorithm>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace bench {

namespace {

constexpr const char* queue = "timers";

class waves
{
public:
    waves(installation& on, int per_second, report& to) : on_{on}, per_second_{per_second}, to_{to}
    {
        role_setup setup;
        setup.dsn = on.worker_dsn();
        setup.on_queue(queue);
        workers_ = std::make_unique<fleet>(1, setup);
        on.await_sessions(1);
        on.await_rest();
    }

    /// Lets timers come due, evenly spaced, from soon on.
    /// \returns how late each of them was, in microseconds.
    std::vector<double> fire(double seconds)
    {
        const auto count = static_cast<int>(per_second_ * seconds);
        // They are to be there, and the tables analyzed, before the first is due.
        const std::chrono::duration<double> ahead{0.5 + count / 5000.0};
        const std::string first =
            "to_timestamp(" +
            on_.admin().text(
                "select extract(epoch from now()) + " + std::to_string(ahead.count())) +
            ")";
        const auto due = std::chrono::steady_clock::now() + ahead;
        copy_sleepers(on_, count, first, "interval '1 second' / " + std::to_string(per_second_));
        on_.admin().execute("analyze perdure.workflow_tasks, perdure.history, perdure.instances");
        if (std::chrono::steady_clock::now() > due)
            throw std::runtime_error{
                "the machine is too slow: the first timers were due before they were all there"};
        const std::chrono::duration<double> left = due - std::chrono::steady_clock::now();
        pause(left);
        const counters before = on_.count();
        pause(std::chrono::duration<double>{seconds});
        std::vector<double> late =
            workers_->collect(static_cast<std::size_t>(count), std::chrono::seconds{60});
        const counters after = on_.count();
        statements_per_second_ = (after.worker_statements - before.worker_statements) /
                                 std::chrono::duration<double>(after.at - before.at).count();
        server_percent_ = (after.server_seconds - before.server_seconds) /
                          std::chrono::duration<double>(after.at - before.at).count() * 100.0;
        if (late.size() < static_cast<std::size_t>(count))
            to_.note(
                std::to_string(late.size()) + " of " + std::to_string(count) +
                " timers had fired a minute after the last was due");
        return late;
    }

    double statements_per_second() const noexcept { return statements_per_second_; }
    double server_percent() const noexcept { return server_percent_; }

private:
    installation& on_;
    int per_second_;
    report& to_;
    std::unique_ptr<fleet> workers_;
    double statements_per_second_ = 0.0;
    double server_percent_ = 0.0;
};

} // namespace

void measure_timers(const options& how, report& to)
{
    const int sleeping = how.quick ? 2000 : 100000;
    const int per_second = how.quick ? 200 : 1000;
    const int repeats = how.repeats_or(3);
    const double seconds = how.seconds_or(20.0, 1.0).count();
    installation on{how, to};
    to.set("sleeping", sleeping);
    to.set("due per second", per_second);
    to.set("seconds", seconds);
    to.set("repeats", repeats);
    to.print_settings();

    progress bar{repeats + 2};
    bar.step("making sleepers");
    start_template(on, queue);
    copy_sleepers(on, sleeping, "now() + interval '30 days'", "interval '1 second'");
    on.vacuum();

    bar.step("warming up");
    waves timers{on, per_second, to};
    timers.fire(how.quick ? 0.5 : 2.0);
    std::vector<double> all;
    for (int repeat = 0; repeat < repeats; ++repeat) {
        bar.step("timers come due");
        const std::vector<double> late = timers.fire(seconds);
        if (late.empty()) throw std::runtime_error{"no timer fired in time"};
        to.add("late_p50_us", percentile(late, 0.50));
        to.add("late_p99_us", percentile(late, 0.99));
        to.add("late_p999_us", percentile(late, 0.999));
        to.add("statements_per_s", timers.statements_per_second());
        to.add("server_cpu_percent", timers.server_percent());
        all.insert(all.end(), late.begin(), late.end());
    }
    std::sort(all.begin(), all.end());
    curve shares{"lateness", {}};
    const std::size_t every = std::max<std::size_t>(1, all.size() / 2000);
    for (std::size_t i = 0; i < all.size(); i += every)
        shares.points.emplace_back(
            std::max(1.0, all[i]),
            100.0 * static_cast<double>(i + 1) / static_cast<double>(all.size()));
    panel picture{
        "How late timers fire", {"us", scale::logarithmic}, {"% of timers", scale::linear}, {}};
    picture.curves.push_back(std::move(shares));
    to.show(std::move(picture));
}

} // namespace bench
