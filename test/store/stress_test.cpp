// Several workers, senders and thieves at once, in an order that a seed decides: whatever happens,
// every event is consumed exactly once, and every history is a sequence without gaps.
#include "workbench.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <map>
#include <random>
#include <thread>

using namespace perdure;
using namespace perdure::store;

namespace {

unsigned draw_seed()
{
    const char* const given = std::getenv("PERDURE_SEED");
    return given ? static_cast<unsigned>(std::strtoul(given, nullptr, 10)) : std::random_device{}();
}

/// One process that does anything it may.
class actor
{
public:
    actor(const installation& on, unsigned seed, int instances)
        : bench_{on}, random_{seed}, instances_{instances}
    {}

    void act()
    {
        switch (draw(8)) {
        case 0: send(); break;
        case 1:
        case 2:
        case 3: run_workflows(); break;
        default: run_activities(); break;
        }
    }

    void send()
    {
        std::vector<signal_request> batch;
        for (int i = draw(4); i >= 0; --i) {
            signal_request request;
            request.id = std::to_string(draw(instances_));
            request.name = "s";
            request.data = text(std::to_string(random_()));
            request.key = draw_key();
            batch.push_back(request);
            if (draw(4) == 0) batch.push_back(request);
        }
        for (const signalled& each : bench_.wait(bench_.store.signal(batch)))
            delivered += each.status == signal_status::delivered;
    }

    void run_workflows()
    {
        // A lease of nothing makes a thief of the next claim.
        auto tasks = bench_.claim("q", 1 + draw(5), draw(3) ? 50ms : 0ms);
        std::vector<workflow_completion> batch;
        for (const workflow_task& task : tasks) {
            if (draw(10) == 0) continue; // killed
            switch (draw(10)) {
            case 0: batch.push_back(workbench::finishing(task, finish::kind::continued)); break;
            case 1: batch.push_back(workbench::completion(task)); break;
            default: batch.push_back(workbench::scheduling(task, draw(3))); break;
            }
            if (draw(4) == 0)
                batch.back().next_timer = timestamp{std::chrono::floor<std::chrono::microseconds>(
                    std::chrono::system_clock::now())};
        }
        const auto outcomes = bench_.wait(bench_.store.complete(batch));
        for (std::size_t i = 0; i < outcomes.size(); ++i) {
            REQUIRE(outcomes[i].status != completion_status::rejected);
            if (outcomes[i].status == completion_status::lease_lost) continue;
            count_consumed(batch[i]);
            if (outcomes[i].more) go_on(batch[i], outcomes[i]);
        }
    }

    void run_activities()
    {
        const auto tasks = bench_.claim_activities("q", 1 + draw(8), draw(3) ? 50ms : 0ms);
        std::vector<activity_completion> batch;
        for (const activity_task& task : tasks) {
            if (draw(10) == 0) continue; // killed
            activity_completion made = workbench::completion(task);
            const int what = draw(6);
            if (what == 0) made.outcome = activity_completion::outcome::retry;
            if (what == 1) made.outcome = activity_completion::outcome::release;
            if (what == 2) made.outcome = activity_completion::outcome::failed;
            batch.push_back(std::move(made));
        }
        std::shuffle(batch.begin(), batch.end(), random_);
        for (const activity_completed& each : bench_.wait(bench_.store.complete(batch)))
            REQUIRE(each.status != completion_status::rejected);
    }

    std::int64_t delivered = 0;
    std::map<std::pair<instance_key, std::int64_t>, int> consumed;

private:
    int draw(int below) { return static_cast<int>(random_() % static_cast<unsigned>(below)); }

    void count_consumed(const workflow_completion& completion)
    {
        for (const std::int64_t number : completion.consumed)
            ++consumed[{completion.instance, number}];
    }

    /// Events arrived meanwhile: the same worker goes on, or dies.
    void go_on(const workflow_completion& before, const workflow_completed& outcome)
    {
        if (draw(5) == 0) return;
        workflow_task task;
        task.instance = before.instance;
        task.queue = before.queue;
        task.run = before.run;
        task.history_length =
            before.history_length + static_cast<std::int32_t>(before.events.size());
        task.token = before.next_token;
        task.arrived = outcome.arrived;
        const workflow_completion next = workbench::completion(task);
        if (bench_.complete(next).status == completion_status::confirmed) count_consumed(next);
    }

    workbench bench_;
    std::mt19937 random_;
    int instances_;
};

} // namespace

TEST_CASE("under any interleaving every event is consumed exactly once and no history has a gap")
{
    const unsigned seed = draw_seed();
    CAPTURE(seed);
    MESSAGE("PERDURE_SEED=" << seed);
    const installation on;
    workbench bench{on};
    constexpr int instances = 12;
    for (int i = 0; i < instances; ++i) bench.start(std::to_string(i));
    const auto deadlocks = [&] {
        return bench.value<std::int64_t>(
            "select deadlocks from pg_stat_database where datname = current_database()");
    };
    const std::int64_t deadlocks_before = deadlocks();

    constexpr unsigned actors = 4;
    std::vector<std::unique_ptr<actor>> all;
    std::vector<std::thread> threads;
    std::vector<std::exception_ptr> failures(actors);
    for (unsigned i = 0; i < actors; ++i)
        all.push_back(std::make_unique<actor>(on, seed + i, instances));
    for (unsigned i = 0; i < actors; ++i)
        threads.emplace_back([&, i] {
            try {
                for (int step = 0; step < 300; ++step) all[i]->act();
            } catch (...) {
                failures[i] = std::current_exception();
            }
        });
    for (std::thread& thread : threads) thread.join();
    for (const std::exception_ptr& failure : failures)
        if (failure) std::rethrow_exception(failure);

    // Whoever was killed is recovered; then all that is left is consumed.
    bench.execute("update {schema}.workflow_tasks set visible_at = now(), token = null");
    bench.execute(
        "delete from {schema}.activity_tasks"); // of which nobody has heard: they may run for ever
    std::map<std::pair<instance_key, std::int64_t>, int> consumed;
    for (auto tasks = bench.claim("q", 100); !tasks.empty(); tasks = bench.claim("q", 100)) {
        std::vector<workflow_completion> batch;
        for (const workflow_task& task : tasks) batch.push_back(workbench::completion(task));
        for (const workflow_completed& each : bench.wait(bench.store.complete(batch)))
            REQUIRE(each.status == completion_status::confirmed);
        for (const workflow_completion& each : batch)
            for (const std::int64_t number : each.consumed) ++consumed[{each.instance, number}];
    }
    std::int64_t delivered = 0;
    for (const auto& each : all) {
        delivered += each->delivered;
        for (const auto& [event, times] : each->consumed) consumed[event] += times;
    }
    for (const auto& [event, times] : consumed) CHECK(times == 1);

    CHECK(deadlocks() == deadlocks_before);
    CHECK(bench.count("inbox") == 0);
    CHECK(
        bench.value<std::int64_t>(
            "select sum(arrived - consumed)::bigint from {schema}.instances") == 0);
    CHECK(
        bench.value<std::int64_t>(
            "select count(*) from {schema}.history where type = 'signal_received'") == delivered);
    CHECK(bench.count("idempotency_keys") == delivered);
    // Numbers 1 to n of each run, and n is what the instance's row says of the last one.
    CHECK(
        bench.value<std::int64_t>(
            "select count(*) from (select instance, run from {schema}.history "
            "group by instance, run having max(seq) <> count(*) or min(seq) <> 1) as gaps") == 0);
    CHECK(
        bench.value<std::int64_t>(
            "select count(*) from {schema}.instances as instance where history_length <> "
            "(select count(*) from {schema}.history as event "
            "where event.instance = instance.k and event.run = instance.run)") == 0);
    // No activity is answered more often than it was scheduled.
    CHECK(
        bench.value<std::int64_t>(
            "select count(*) from (select from {schema}.history "
            "where type in ('activity_scheduled', 'activity_completed', 'activity_failed') "
            "group by instance, run, operation "
            "having sum(case type when 'activity_scheduled' then 1 else -1 end) < 0) as twice") ==
        0);
    MESSAGE(consumed.size() << " events, " << delivered << " of them signals");
}
