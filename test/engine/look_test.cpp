// Where a poller looks, and what it makes of what it finds.
#include "fleet.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

using namespace perdure;
using namespace perdure::test;

TEST_CASE("what the safety poll finds is news, unless this process looks for it or cannot")
{
    fleet all{1};
    auto& one = *all.processes[0];
    lookouts& pollers = one.hub.pollers();
    CHECK_FALSE(pollers.found(eu, start_there + 1s)); // not due
    one.place->look();
    CHECK(pollers.found(eu, start_there - 5s));
    CHECK(one.flag.due <= all.now);
    CHECK_FALSE(pollers.found(eu, start_there - 5s)); // it is about to look
    one.place->look();
    one.hub.notified(work_of("somebody", 1));
    CHECK_FALSE(pollers.found(eu, start_there - 5s)); // it has heard something
    one.place->look();
    one.place->room(false);
    CHECK_FALSE(pollers.found(eu, start_there - 5s));
    CHECK_FALSE(pollers.found({task_kind::workflow, "us"}, start_there - 5s));
}

TEST_CASE("a claim begins behind what was there when it last looked, and before what was announced "
          "since")
{
    fleet all{2};
    auto& one = *all.processes[0];
    auto& other = *all.processes[1];
    const std::vector<std::string> queues{"eu"};
    const auto mark = [&] { return one.place->marks(queues).at(0); };
    const auto saw = [&](std::optional<timestamp> earliest, timestamp looked_at) {
        const std::vector<store::queue_due> due{{"eu", earliest}};
        one.place->seen(due, looked_at);
    };
    const auto said = [](timestamp since) {
        store::announcement what;
        what.since = since;
        what.add_workflow_queue("eu");
        what.from = "somebody";
        return what;
    };
    CHECK(mark() == timestamp::min());
    saw(start_there + 1s, start_there + 5s);
    CHECK(mark() == start_there + 1s); // somebody holds a row
    saw(start_there + 9s, start_there + 6s);
    CHECK(mark() == start_there + 6s); // what comes now comes before a timer
    saw(std::nullopt, start_there + 7s);
    CHECK(mark() == start_there + 7s);

    one.hub.notified(store::encode(said(start_there + 4s)));
    CHECK(mark() == start_there + 4s);
    one.place->look();
    saw(std::nullopt, start_there + 8s);
    one.hub.committed(said(start_there + 5s), std::nullopt); // of its own
    CHECK(mark() == start_there + 5s);
    one.hub.committed(said(start_there + 6s), std::nullopt);
    CHECK(mark() == start_there + 5s); // never later

    // While it looks, what was announced may be newer than what it sees.
    one.place->look();
    one.hub.notified(store::encode(said(start_there + 6s)));
    saw(std::nullopt, start_there + 9s);
    CHECK(mark() == start_there + 6s);

    const auto anew = [&] { saw(std::nullopt, start_there + 20s); };
    one.place->look();
    anew();
    one.hub.pollers().found(eu, start_there + 3s); // by the safety poll
    CHECK(mark() == start_there + 3s);
    one.place->look();
    anew();
    one.hub.notified(R"({"w":{"eu":null}})"); // by a trigger, which says nothing of it
    CHECK(mark() == timestamp::min());
    one.place->look();
    anew();
    one.hub.notified(R"({"e":true})");
    CHECK(mark() == timestamp::min());
    one.place->look();
    anew();
    one.hub.notified(R"({"p":{"w:eu":[77]},"s":"process 1"})"); // found there, never announced
    CHECK(mark() == timestamp::min());
    one.place->look();
    anew();
    one.hub.set_path(notification_path::down); // what happens from here on is not heard of
    CHECK(mark() == timestamp::min());
    CHECK(other.place->marks(queues).at(0) == timestamp::min());
}

TEST_CASE("a row that somebody has locked is left to whoever looks again, and told to nobody")
{
    fleet all{2};
    auto& one = *all.processes[0];
    const int before = all.notifications;
    for (int i = 0; i < 10; ++i) {
        one.place->look();
        const std::vector<store::queue_due> due{{"eu", start_there - 1s}};
        one.place->seen(due, start_there);
        one.place->found_all(false, due);
        all.settle();
        CHECK(one.flag.due == time_point::max());
    }
    CHECK(all.notifications == before);
    // What has become due since it looked is not of that kind.
    one.place->look();
    const std::vector<store::queue_due> due{{"eu", start_there + 1ms}};
    one.place->seen(due, start_there);
    all.now += 2ms;
    one.place->found_all(false, due);
    CHECK(one.flag.due <= all.now + 20ms);
}

TEST_CASE("the end of a lease is told also when another claim was in the way at first")
{
    fleet all{2};
    auto& one = *all.processes[0];
    auto& other = *all.processes[1];
    one.place->look();
    const std::vector<store::queue_due> held{{"eu", start_there - 1ms}};
    one.place->seen(held, start_there);
    one.place->found_all(true, held);
    all.settle();
    CHECK(other.flag.due == time_point::max());
    one.place->look();
    const std::vector<store::queue_due> due{{"eu", start_there + 10s}};
    one.place->seen(due, start_there);
    one.place->found_all(false, due);
    all.settle();
    CHECK(other.flag.due <= start + 10s + 20ms);
}

TEST_CASE("who finds something because those before him were silent reads who is present")
{
    int read = 0; // told of also when places end
    fleet all{3};
    for (const auto& each : all.processes) each->hub.pollers().on_change([&read] { ++read; });
    const auto find = [&](std::size_t place, std::uint32_t id, std::chrono::milliseconds after) {
        all.say(work_of("a client", id));
        auto* const looks = all.in_order().at(place);
        all.now += after;
        looks->place->look();
        looks->place->found_all(true, {});
        all.now += 100ms;
        for (const auto& each : all.processes) {
            each->place->look();
            each->place->found_all(false, {});
        }
    };
    find(0, 1, 0ms);
    CHECK(read == 0);
    find(1, 2, 1ms); // it looked for another reason
    CHECK(read == 0);
    find(1, 3, 20ms);
    CHECK(read == 1);
    all.now += 1s;
    find(2, 4, 80ms);
    CHECK(read == 2);
}

TEST_CASE("the ends of leases that come with commits are told and looked for once in their time")
{
    fleet all{2};
    auto& one = *all.processes[0];
    auto& other = *all.processes[1];
    const auto due_at = [&](timestamp there) { return one.hub.clock().to_steady(there); };
    const int before = all.notifications;
    for (int i = 0; i <= 100; ++i) {
        store::announcement what;
        what.since = start_there;
        what.add_workflow_queue("eu", start_there + 10s + i * 1ms);
        const auto rider = lead(one.hub, what);
        if (rider) all.say(rider->payload);
        one.hub.committed(what, rider ? std::optional{rider->id} : std::nullopt);
        all.settle();
    }
    CHECK(all.notifications == before + 1);
    const auto order = all.in_order();
    CHECK(order[0]->flag.due == due_at(start_there + 10s));
    CHECK(order[1]->flag.due == due_at(start_there + 10s) + 20ms);

    // Who looks then says which ends first of those that are left.
    all.now = due_at(start_there + 10s) + 20ms;
    for (auto* const each : order) each->place->look();
    const std::vector<store::queue_due> due{{"eu", start_there + 14s}};
    one.place->seen(due, start_there + 10s + 20ms);
    one.place->found_all(false, due);
    all.settle();
    CHECK(one.flag.due >= due_at(start_there + 14s));
    CHECK(std::min(one.flag.due, other.flag.due) == due_at(start_there + 14s));
}

TEST_CASE("the end of a lease that went along with work for now is told by whoever looks")
{
    fleet all{2};
    auto& one = *all.processes[0];
    auto& other = *all.processes[1];
    one.hub.committed(work_on("eu"), std::nullopt);
    all.now += 20ms; // it has not looked yet, so others should hear of it
    store::announcement leased;
    leased.since = start_there;
    leased.add_workflow_queue("eu", start_there + 10s);
    const auto rider = lead(one.hub, leased);
    REQUIRE(rider);
    all.say(rider->payload);
    one.hub.committed(leased, rider->id);
    one.place->look();
    const std::vector<store::queue_due> due{{"eu", start_there + 10s}};
    one.place->seen(due, start_there + 20ms);
    one.place->found_all(true, due);
    all.settle();
    CHECK(other.flag.due >= start + 10s);
    CHECK(other.flag.due <= start + 10s + 20ms);
}

TEST_CASE("where nobody is told, a lease's end is forgotten when its task is done")
{
    wake_hub silent{"me", notification_mode::none, 1s, [] { return start; }};
    silent.clock().observe(start_there, start);
    parked flag;
    const auto place = silent.pollers().watch(task_kind::workflow, {"eu"}, flag);
    store::announcement leased;
    leased.since = start_there;
    leased.add_workflow_queue("eu", start_there + 10s);
    silent.committed(leased, std::nullopt);
    CHECK(flag.due == start + 10s);
    place->look();
    place->found_all(false, std::vector<store::queue_due>{{"eu", std::nullopt}});
    CHECK(flag.due == time_point::max());
}
