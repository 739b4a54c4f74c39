// Many idle workers on one queue: how many of them look in vain when a task is announced, and how soon it
// is picked up; also while most of them are full, and right after the one that would have taken it was
// killed.
#include "benchmarks.hpp"
#include "fleet.hpp"
#include "installation.hpp"
#include "interrupt.hpp"
#include "progress.hpp"
#include "statistics.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <stdexcept>
#include <string>
#include <vector>

namespace bench {

namespace {

constexpr int rare = 1; // tasks per second
constexpr int frequent = 20;

/// What pg_stat_statements says of the statements by which workers claim.
struct claims
{
    double asked = 0.0;           ///< statements that claim workflow tasks or activities
    double workflows_given = 0.0; ///< tasks that they returned
    double activities_given = 0.0;
};

claims count_claims(installation& on)
{
    // A claim of workflow tasks answers one row whatever it found; what it found is the rows of the
    // statement behind it.
    const auto row = on.admin()
                         .rows("select coalesce(sum(calls) filter (where claims), 0), "
                               "coalesce(sum(rows) filter (where reads), 0), "
                               "coalesce(sum(rows) filter (where claims and activities), 0) from ("
                               "select calls, rows, query like '%skip locked%' and query like "
                               "'%visible_at <= now()%' "
                               "as claims, query like '%with ordinality as claimed%' as reads, "
                               "query like '%activity_tasks%' as activities "
                               "from pg_stat_statements s join pg_roles r on r.oid = s.userid "
                               "where rolname = 'perdure_bench_worker') as known")
                         .front();
    claims result;
    result.asked = std::stod(row[0]);
    result.workflows_given = std::stod(row[1]);
    result.activities_given = std::stod(row[2]);
    return result;
}

/// Claims that came back with nothing, provided that none came back with two tasks, which at these
/// rates hardly any does; each of those would hide an empty one.
double empty_claims(const claims& before, const claims& after, double tasks)
{
    const double asked = after.asked - before.asked;
    const double workflows = after.workflows_given - before.workflows_given;
    if (asked < 1.0 || workflows < tasks)
        throw std::runtime_error{
            "claims cannot be counted: the statements by which workers claim are not what this "
            "benchmark takes them for"};
    const double activities = after.activities_given - before.activities_given;
    return std::max(0.0, asked - workflows - activities) / tasks;
}

class herd
{
public:
    herd(installation& on, std::size_t size, const options& how, report& to)
        : on_{on}, size_{size}, how_{how}, to_{to}
    {}

    /// Nobody has anything to do; then one of them is killed.
    void idle()
    {
        fleet workers = gather(1000);
        process client = start_client(setup(on_.client_dsn()));
        work(workers, client, frequent, 1.0);
        on_.await_rest();
        add("rate1_", work(workers, client, rare, how_.seconds_or(10.0, 2.0).count()));
        on_.await_rest();
        const outcome at_work = work(workers, client, frequent, seconds());
        add("", at_work);
        if (size_ < 2) return;
        on_.await_rest();
        workers.kill(first(at_work));
        add("killed_", work(workers, client, frequent, seconds()));
    }

    /// Of every 64, 60 have no room for an activity.
    void busy()
    {
        const std::size_t full = size_ * 60 / 64;
        if (full == 0) return;
        fleet workers = gather(1);
        process client = start_client(setup(on_.client_dsn()));
        client.ask("hold " + std::to_string(full));
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{60};
        while (on_.admin().number("select count(*) from perdure.activity_tasks where name = 'wait' "
                                  "and token is not null") < static_cast<double>(full)) {
            if (std::chrono::steady_clock::now() > deadline)
                throw std::runtime_error{"the workers do not take the activities that fill them"};
            pause(std::chrono::milliseconds{50});
        }
        work(workers, client, frequent, 1.0);
        add("busy_", work(workers, client, frequent, seconds()));
    }

private:
    struct outcome
    {
        std::vector<std::vector<double>> latencies; ///< of each worker
        double empty = 0.0;                         ///< claims per task
    };

    double seconds() const { return how_.seconds_or(10.0, 1.0).count(); }

    role_setup setup(const std::string& dsn) const
    {
        role_setup result;
        result.dsn = dsn;
        result.pool = 2;
        return result;
    }

    fleet gather(int activity_slots)
    {
        on_.empty(); // what killed workers had is not to come back
        role_setup each = setup(on_.worker_dsn());
        each.activity_slots = activity_slots;
        fleet workers{size_, each};
        on_.await_sessions(2 * size_); // a listener, and a connection that has claimed
        on_.await_rest();
        return workers;
    }

    outcome work(fleet& workers, process& client, int rate, double duration)
    {
        const claims before = count_claims(on_);
        const std::vector<double> started = client.ask(
            "rate " + std::to_string(rate) + " " + std::to_string(duration),
            std::chrono::duration<double>{duration + 60.0});
        const double tasks = started.at(0) - started.at(1);
        outcome result;
        result.latencies =
            workers.collect_each(static_cast<std::size_t>(tasks), std::chrono::seconds{30});
        pause(std::chrono::milliseconds{100}); // those that look last
        result.empty = empty_claims(before, count_claims(on_), tasks);
        return result;
    }

    /// The worker that most tasks went to is the one that would have taken the next.
    static std::size_t first(const outcome& of)
    {
        const auto most = std::max_element(
            of.latencies.begin(), of.latencies.end(),
            [](const auto& left, const auto& right) { return left.size() < right.size(); });
        return static_cast<std::size_t>(most - of.latencies.begin());
    }

    void add(const std::string& prefix, const outcome& found)
    {
        const std::string name = std::to_string(size_) + "." + prefix;
        const std::vector<double> all = joined(found.latencies);
        if (all.empty()) throw std::runtime_error{"no task was picked up in time"};
        to_.add(name + "empty_claims", found.empty);
        to_.add(name + "p50_us", percentile(all, 0.50));
        to_.add(name + "p99_us", percentile(all, 0.99));
    }

    installation& on_;
    std::size_t size_;
    const options& how_;
    report& to_;
};

} // namespace

void measure_herd(const options& how, report& to)
{
    const std::vector<std::size_t> sizes =
        how.quick ? std::vector<std::size_t>{1, 8} : std::vector<std::size_t>{1, 8, 32, 64};
    const int repeats = how.repeats_or(3);
    installation on{how, to, {{"max_connections", "400"}}};
    to.set("tasks per second", frequent);
    to.set("tasks per second, rate1", rare);
    to.set("repeats", repeats);
    to.print_settings();

    progress bar{repeats * 2 * static_cast<int>(sizes.size())};
    for (int repeat = 0; repeat < repeats; ++repeat) {
        on.vacuum();
        for (const std::size_t size : sizes) {
            herd together{on, size, how, to};
            bar.step(std::to_string(size) + " idle workers");
            together.idle();
            bar.step(std::to_string(size) + " workers, most of them full");
            together.busy();
        }
    }
    panel vain{
        "Claims in vain for each task", {"workers", scale::linear}, {"claims", scale::linear}, {}};
    panel late{
        "From start to activity, p99", {"workers", scale::linear}, {"us", scale::logarithmic}, {}};
    for (const char* kind : {"", "busy_", "killed_"}) {
        const std::string name = *kind ? std::string{kind, std::string{kind}.size() - 1} : "idle";
        curve claims_in_vain{name, {}};
        curve latency{name, {}};
        for (const std::size_t size : sizes) {
            const std::string row = std::to_string(size) + "." + kind;
            if (!to.has(row + "p99_us")) continue;
            claims_in_vain.points.emplace_back(size, to.median_of(row + "empty_claims"));
            latency.points.emplace_back(size, to.median_of(row + "p99_us"));
        }
        vain.curves.push_back(std::move(claims_in_vain));
        late.curves.push_back(std::move(latency));
    }
    to.show(std::move(vain));
    to.show(std::move(late));
}

} // namespace bench
