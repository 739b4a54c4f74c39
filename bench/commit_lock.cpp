// What announcing tasks costs those who commit them: a NOTIFY takes a lock that all commits of the server
// that notify wait for, while a disk writes if it is part of the commit. Clients start instances as fast
// as they can, with each way to announce: each a process of its own, where each start is a commit; and a
// few processes with several callers each, whose starts are committed together.
#include "benchmarks.hpp"
#include "installation.hpp"
#include "progress.hpp"
#include "roles.hpp"

#include <algorithm>
#include <chrono>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace bench {

namespace {

struct way
{
    const char* name;
    notification announces;
    const char* trigger; ///< on the table of tasks; empty: none
};

constexpr way none{"none", notification::none, ""};
constexpr way coalesced{"coalesced", notification::coalesced, ""};
constexpr way transactional{"transactional", notification::transactional, ""};
constexpr way row_trigger{
    "row_trigger", notification::none,
    "create trigger perdure_bench after insert on perdure.workflow_tasks for each row execute "
    "function "
    "perdure_bench_announce_row()"};

struct disk
{
    const char* name;
    int delay_microseconds; ///< added to every write of the log
};

void prepare(session& admin)
{
    admin.execute(
        "create function perdure_bench_announce_row() returns trigger language plpgsql as $$ begin "
        "perform pg_notify('perdure', json_build_object('w', json_build_object(new.queue, "
        "null))::text); return null; end $$");
}

/// For sessions that begin from now on.
void slow_down(session& admin, const disk& which)
{
    const std::string setting = "alter role perdure_bench_client in database " +
                                admin.text("select quote_ident(current_database())");
    admin.execute(setting + " set commit_delay = " + std::to_string(which.delay_microseconds));
    admin.execute(setting + " set commit_siblings = 0");
}

/// Who starts, without a pause.
struct clients
{
    std::size_t processes;
    std::size_t callers; ///< in each of them, at the same time

    std::string name() const
    {
        return std::to_string(processes) + (callers == 1 ? "" : "x" + std::to_string(callers));
    }
};

/// Starts per second of all of them together.
double measure(
    installation& on, const way& which, const clients& who, std::chrono::duration<double> seconds)
{
    on.empty();
    if (*which.trigger) on.admin().execute(which.trigger);
    role_setup setup;
    setup.dsn = on.client_dsn();
    setup.pool = 2;
    setup.announce(which.announces);
    std::vector<process> all;
    for (std::size_t i = 0; i < who.processes; ++i) all.push_back(start_client(setup));
    const auto insert = [&](std::chrono::duration<double> duration) {
        for (process& each : all)
            each.send(
                "insert " + std::to_string(duration.count()) + " " + std::to_string(who.callers));
        double rate = 0.0;
        for (process& each : all) {
            const std::vector<double> done = each.answer(duration + std::chrono::seconds{60});
            rate += done.at(0) / done.at(1);
        }
        return rate;
    };
    insert(std::chrono::milliseconds{500}); // connections, plans, and how long a commit takes
    const double rate = insert(seconds);
    all.clear();
    if (*which.trigger) on.admin().execute("drop trigger perdure_bench on perdure.workflow_tasks");
    return rate;
}

} // namespace

void measure_commit_lock(const options& how, report& to)
{
    const std::vector<disk> disks{{"fast", 0}, {"slow", 3000}};
    const std::vector<way> ways{none, coalesced, transactional, row_trigger};
    const std::vector<std::size_t> counts =
        how.quick ? std::vector<std::size_t>{1, 4} : std::vector<std::size_t>{1, 8, 32, 64};
    const std::size_t contended = how.quick ? 4 : 32;
    const clients together{contended / 4, 4};
    const std::chrono::duration<double> seconds = how.seconds_or(2.0, 0.5);
    const int repeats = how.repeats_or(3);
    installation on{how, to, {{"max_connections", "400"}}};
    to.set("slow disk", "commit_delay = 3000, commit_siblings = 0");
    to.set("ratio at clients", static_cast<double>(contended));
    to.set("seconds", seconds.count());
    to.set("repeats", repeats);
    to.print_settings();
    prepare(on.admin());
    process listener = start_bare(on.dsn()); // somebody hears what is announced
    listener.ask("listen");

    progress bar{repeats * static_cast<int>(disks.size() * (ways.size() * counts.size() + 2))};
    const auto compare = [&](const disk& under, const clients& who, std::span<const way> among) {
        std::map<std::string_view, double> rates;
        for (const way& each : among) {
            bar.step(std::string{under.name} + ", " + who.name() + " clients, " + each.name);
            rates[each.name] = measure(on, each, who, seconds);
            to.add(
                std::string{under.name} + "." + each.name + "." + who.name() + "_per_s",
                rates[each.name]);
        }
        return rates[coalesced.name] / rates[none.name];
    };
    for (int repeat = 0; repeat < repeats; ++repeat) {
        on.vacuum();
        for (const disk& under : disks) {
            slow_down(on.admin(), under);
            // Not slowed down, and again and again: a disk that others use too is not the
            // same all the time.
            to.add("commit_us", on.commit_microseconds());
            for (const std::size_t count : counts) {
                const double ratio = compare(under, {count, 1}, ways);
                if (count == contended) to.add(std::string{under.name} + ".coalesced_ratio", ratio);
            }
            to.add(
                std::string{under.name} + ".together.coalesced_ratio",
                compare(under, together, std::vector{none, coalesced}));
        }
    }
    for (const disk& under : disks) {
        panel picture{
            std::string{"Starts per second, "} + under.name + " disk",
            {"clients", scale::linear},
            {"starts/s", scale::linear},
            {}};
        for (const way& each : ways) {
            curve rates{each.name, {}};
            for (const std::size_t count : counts)
                rates.points.emplace_back(
                    count, to.median_of(
                               std::string{under.name} + "." + each.name + "." +
                               std::to_string(count) + "_per_s"));
            picture.curves.push_back(std::move(rates));
        }
        to.show(std::move(picture));
    }
}

} // namespace bench
