// How much there is to do, and histories in pages.
#include "workbench.hpp"

#include <doctest/doctest.h>

using namespace perdure;
using namespace perdure::store;

TEST_CASE("statistics count active instances and pending tasks per queue, running ones included")
{
    const installation on;
    workbench bench{on};
    const statistics nothing = bench.wait(bench.store.read_statistics());
    CHECK(nothing.active_instances == 0);
    CHECK(nothing.queues.empty());

    for (int i = 0; i < 3; ++i) bench.start(std::to_string(i), "w");
    bench.start_finished("done");
    workflow_completion asleep = workbench::scheduling(bench.claim_one("w"), 2, "a");
    asleep.next_timer = timestamp{4'000'000'000s};
    bench.complete(asleep);
    bench.claim_one("w");           // running
    bench.claim_activities("a", 1); // running
    const statistics read = bench.wait(bench.store.read_statistics());
    CHECK(read.active_instances == 3);
    REQUIRE(read.queues.size() == 2);
    CHECK(read.queues[0].queue == "a");
    CHECK(read.queues[0].workflow_tasks == 0);
    CHECK(read.queues[0].activity_tasks == 2);
    CHECK(read.queues[1].queue == "w");
    CHECK(read.queues[1].workflow_tasks == 2); // not the one that sleeps
    CHECK(read.queues[1].activity_tasks == 0);
}

TEST_CASE("an activity that nobody wants any more is not pending")
{
    const installation on;
    workbench bench{on};
    bench.start("one");
    bench.complete(workbench::scheduling(bench.claim_one(), 1));
    bench.claim_activities();
    bench.signal("one");
    bench.complete(workbench::finishing(bench.claim_one()));
    CHECK(bench.count("activity_tasks") == 1);
    CHECK(bench.wait(bench.store.read_statistics()).queues.empty());
}

TEST_CASE("a history is read in pages, in order, and a short page is the last")
{
    const installation on;
    workbench bench{on};
    const instance_key key = bench.start("one");
    workflow_completion made = workbench::completion(bench.claim_one());
    for (int i = 0; i < 12'000; ++i)
        made.events.push_back(make_event(event_type::side_effect, {}, std::to_string(i), i + 1));
    CHECK(bench.complete(made).status == completion_status::confirmed);
    const auto whole = bench.wait(bench.store.history("one"));
    REQUIRE(whole.size() == 12'002);
    CHECK(whole.back().data.text() == "11999");

    std::vector<event> pages;
    for (;;) {
        history_page next;
        next.after = static_cast<std::int32_t>(pages.size());
        next.limit = 5'500;
        const auto page = bench.wait(bench.store.history("one", 1, next));
        pages.insert(pages.end(), page.begin(), page.end());
        if (page.size() < 5'500) break;
    }
    CHECK(pages == whole);

    history_page behind;
    behind.after = 12'002;
    CHECK(bench.wait(bench.store.load_history(key, 1, behind)).empty());
    CHECK(bench.wait(bench.store.history("nobody")).empty());
}
