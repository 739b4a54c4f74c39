// Who has no room: what it passes on, and to whom.
#include "fleet.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

using namespace perdure;
using namespace perdure::test;

TEST_CASE("who has no room passes, until one has, and is asked last from then on")
{
    fleet all{5};
    auto& free = *all.processes[3];
    for (const auto& each : all.processes)
        if (each.get() != &free) each->place->room(false);
    for (std::uint32_t id = 1; id <= 90; ++id) {
        free.flag.due = time_point::max();
        all.say(work_of("a client", id));
        all.settle();
        CHECK(free.flag.due <= all.now);
        free.place->look();
        free.place->found_all(true, {});
        all.now += 1s;
    }
    // Each task and that it was served; four passed once in half a minute at most, and all had joined.
    CHECK(all.notifications <= 90 + 90 + 4 * 3 + 5);
}

TEST_CASE("who does not know who has no room does not wait for those who have told others")
{
    for (const bool joins : {true, false}) {
        CAPTURE(joins);
        fleet all{5};
        auto* free = all.processes.back().get();
        std::uint32_t id = 0;
        const auto serve = [&] {
            free->flag.due = time_point::max();
            all.say(work_of("a client", ++id));
            all.settle();
            CHECK(free->flag.due <= all.now);
            free->place->look();
            free->place->found_all(true, {});
        };
        for (const auto& each : all.processes)
            if (each.get() != free) each->place->room(false);
        for (int i = 0; i != 20; ++i) serve();
        if (joins) {
            free->place->room(false);
            free = &all.add("process 5");
        } else { // its session has ended, and it begins anew
            free->hub.set_path(notification_path::down);
            free->hub.set_path(notification_path::up);
        }
        std::vector<member_id> members;
        for (const auto& each : all.processes) members.push_back(member_of(each->name));
        free->hub.pollers().present(eu, members);
        all.settle();
        for (int i = 0; i != 20; ++i) serve();
    }
}

TEST_CASE("who is found to be there has not heard who has no room")
{
    fleet all{2};
    auto& full = *all.processes[0];
    full.hub.notified(work_of("a client", 1));
    full.place->look();
    full.place->left_some();
    all.settle();
    auto& free = *all.processes[1];
    free.hub.pollers().forget_members(); // and it cannot say that it has joined again
    full.hub.pollers().present(eu, {});
    const std::vector<member_id> both{member_of(full.name), member_of(free.name)};
    free.hub.pollers().present(eu, both);
    REQUIRE(free.hub.take_payload());
    free.hub.sent();
    full.hub.pollers().present(eu, both);
    for (std::uint32_t id = 2; id != 20; ++id) {
        free.place->look();
        all.now += 10ms;
        all.say(work_of("a client", id));
        all.settle();
        CHECK(free.flag.due <= all.now);
    }
}

TEST_CASE("who says at once that it passes and that it has room has room")
{
    fleet all{2};
    auto& other = *all.processes[1];
    other.hub.notified(R"({"s":"process 0","o":1,"p":{"w:eu":[7]},"v":["w:eu"]})");
    other.place->look();
    store::announcement held;
    held.add_workflow_queue("eu", {}, member_of("process 0"));
    other.hub.committed(held, store::announcement_id{99});
    CHECK(other.flag.due > all.now); // the holder looks first
}

TEST_CASE("that there is room again is not said before what it takes back")
{
    fleet all{2};
    auto& one = *all.processes[0];
    auto& other = *all.processes[1];
    const auto has_room = [&] { // in the other's eyes
        store::announcement held;
        held.add_workflow_queue("eu", {}, member_of("process 0"));
        other.place->look();
        other.hub.committed(held, store::announcement_id{99});
        const bool waits = other.flag.due > all.now;
        other.place->look();
        return waits;
    };
    REQUIRE(has_room());
    const auto fill = [&] {
        one.hub.notified(work_of("a client", 1));
        one.place->look();
        one.place->left_some();
        all.now += 10ms;
    };
    // Not said yet: then it need not be said at all.
    fill();
    one.place->room(true);
    store::announcement end;
    end.finished.push_back(store::instance_key{1});
    one.hub.committed(end, std::nullopt);
    all.settle();
    CHECK(has_room());
    // Under way.
    fill();
    const auto passes = one.hub.take_payload();
    REQUIRE(passes);
    one.place->room(true);
    all.now += 10ms;
    const auto quicker = lead(one.hub, end);
    REQUIRE(quicker);
    other.hub.notified(quicker->payload);
    one.hub.committed(end, quicker->id);
    other.hub.notified(*passes);
    CHECK_FALSE(has_room());
    one.hub.sent();
    all.now += 10ms;
    const auto behind = lead(one.hub, end);
    REQUIRE(behind);
    other.hub.notified(behind->payload);
    CHECK(has_room());
}

TEST_CASE("who said in the wrong order that it has room, and that it has none, is asked as it asks")
{
    for (const bool overdue : {false, true}) {
        CAPTURE(overdue);
        fleet all{2};
        auto& one = *all.processes[0];
        auto& other = *all.processes[1];
        const auto fill = [&](std::uint32_t id) {
            all.now += 10ms;
            one.hub.notified(work_of("a client", id));
            one.place->look();
            one.place->left_some();
        };
        fill(1);
        all.settle();
        all.now += 10ms;
        one.place->room(true);
        store::announcement end;
        end.finished.push_back(store::instance_key{1});
        if (overdue) one.hub.committed(end, std::nullopt); // what is said again
        const auto slow = lead(one.hub, end);              // takes it along
        REQUIRE(slow);
        fill(2);
        if (overdue) all.now += 1s;
        all.settle();
        other.hub.notified(slow->payload);
        one.hub.committed(end, slow->id);
        other.place->look();
        // Who comes first of the two looks, or passes.
        for (std::uint32_t id = 3; id != 20; ++id) {
            all.say(work_of("a client", id));
            all.settle();
            CHECK(other.flag.due <= all.now);
            other.place->look();
            all.now += 10ms;
        }
    }
}

TEST_CASE("who leaves, and joins again, has said nothing of its room")
{
    fleet all{2};
    auto& one = *all.processes[0];
    auto& other = *all.processes[1];
    one.hub.notified(work_of("a client", 1));
    one.place->look();
    one.place->left_some();
    all.settle();
    one.place.reset();
    all.settle();
    one.place = one.hub.pollers().watch(task_kind::workflow, {"eu"}, one.flag);
    one.hub.pollers().present(eu, {member_of(other.name)});
    all.settle();
    one.place->room(false);
    for (std::uint32_t id = 2; id != 20; ++id) {
        other.place->look();
        all.now += 10ms;
        all.say(work_of("a client", id));
        all.settle();
        CHECK(other.flag.due <= all.now);
    }
}

TEST_CASE("what a poller was looking for when it failed, or left, another of its process looks for")
{
    for (const bool leaves : {false, true}) {
        CAPTURE(leaves);
        fleet all{1};
        auto& one = *all.processes[0];
        parked second;
        const auto place = one.hub.pollers().watch(task_kind::workflow, {"eu"}, second);
        place->look();
        one.hub.committed(work_on("eu"), std::nullopt);
        one.place->look();
        CHECK(second.due == time_point::max());
        if (leaves)
            one.place.reset();
        else
            one.place->room(false);
        CHECK(second.due <= all.now);
    }
}

TEST_CASE("when nobody has room nobody passes for ever")
{
    fleet all{3};
    for (const auto& each : all.processes) each->place->room(false);
    all.say(work_of("a client", 1));
    all.settle();
    CHECK(all.notifications == 3 + 1 + 3);
}

TEST_CASE("who fills up again and again while nobody has room says so once in half a minute")
{
    fleet all{2};
    all.processes[1]->place->room(false);
    auto& busy = *all.processes[0];
    const int before = all.notifications;
    for (int i = 0; i != 100; ++i) {
        busy.place->room(true);
        busy.place->look();
        busy.place->left_some();
        all.settle();
        all.now += 50ms;
    }
    CHECK(all.notifications - before == 2); // each of them
    store::announcement end;
    end.finished.push_back(store::instance_key{1});
    const auto rider = lead(busy.hub, end);
    REQUIRE(rider);
    CHECK(store::decode_announcement(rider->payload)->free.empty()); // it has none any more
}

TEST_CASE("a claim that filled all slots and left something wakes the next in the order")
{
    fleet all{3};
    all.say(work_of("a client", 1));
    const auto order = all.in_order();
    order[0]->place->look();
    order[0]->place->left_some();
    order[0]->place->room(false);
    all.settle();
    CHECK(order[1]->flag.due <= all.now);
}

TEST_CASE("what could not be said of room or presence is not said any more once it has changed")
{
    fleet all{2};
    auto& one = *all.processes[0];
    const auto send = [&] {
        all.now += 10ms;
        return store::decode_announcement(one.hub.take_payload().value()).value();
    };
    one.hub.notified(work_of("a client", 1));
    one.place->look();
    one.place->left_some();
    REQUIRE(send().passed.size() == 1);
    one.place->room(true);
    one.hub.not_sent();
    store::announcement end;
    end.finished.push_back(store::instance_key{1});
    one.hub.committed(end, std::nullopt);
    auto said = send();
    CHECK(said.passed.empty());
    CHECK(said.free.size() == 1);
    one.hub.sent();

    one.place.reset();
    REQUIRE(send().left.size() == 1);
    parked again;
    one.place = one.hub.pollers().watch(task_kind::workflow, {"eu"}, again);
    one.hub.pollers().present(eu, {member_of("process 1")});
    one.hub.not_sent();
    one.hub.committed(end, std::nullopt);
    said = send();
    CHECK(said.left.empty());
    CHECK(said.joined.size() == 1);
    one.place.reset();
}

TEST_CASE("what a poller has left another one of its process looks for, before others do")
{
    fleet all{2};
    auto& two = *all.processes[0];
    parked second;
    const auto place = two.hub.pollers().watch(task_kind::workflow, {"eu"}, second);
    const int before = all.notifications;
    two.hub.committed(*store::decode_announcement(work_of("", 1)), store::announcement_id{1});
    CHECK(second.due <= all.now);
    two.place->look();
    CHECK(second.due == time_point::max());
    two.place->left_some();
    CHECK(second.due <= all.now);
    all.settle();
    CHECK(all.notifications == before);
    place->look();
    place->left_some();
    all.settle();
    CHECK(all.processes[1]->flag.due <= all.now);
}

TEST_CASE("who has no room when something becomes due passes it on")
{
    fleet all{3};
    const std::vector<store::queue_due> due{{"eu", start_there + 10s}};
    for (const auto& each : all.processes) {
        each->place->look();
        each->place->seen(due, start_there);
        each->place->found_all(true, due);
    }
    all.settle();
    auto order = all.in_order();
    order[0]->place->room(false);
    all.settle();
    CHECK(order[0]->flag.due == start + 10s); // it wakes, to pass
    all.now = start + 10s;
    order[0]->place->pass_due();
    all.settle();
    CHECK(order[0]->flag.due == time_point::max());
    CHECK(order[1]->flag.due <= all.now);
}

TEST_CASE("who has no room does not wake for what another poller of its process looks for")
{
    fleet all{1};
    auto& one = *all.processes[0];
    parked second_flag;
    const auto second = one.hub.pollers().watch(task_kind::workflow, {"eu"}, second_flag);
    one.place->room(false);
    one.hub.notified(work_of("somebody", 1));
    CHECK(second_flag.due <= all.now);
    CHECK(one.flag.due == time_point::max());
    second->room(false); // now nobody has any: it is passed
    CHECK(second_flag.due == time_point::max());
    CHECK(one.flag.due == time_point::max());
    const std::vector<store::queue_due> due{{"eu", start_there + 1s}};
    second->room(true);
    second->look();
    second->found_all(false, due);
    CHECK(one.flag.due == time_point::max());
    second->room(false);
    CHECK(one.flag.due == start + 1s); // to pass it
    all.now = start + 1s;
    one.place->pass_due();
    CHECK(one.flag.due == time_point::max());
}

TEST_CASE("what a poller that leaves was to look for, another of its process passes on")
{
    fleet all{2};
    auto& one = *all.processes[0];
    parked leaving_flag;
    auto leaving = one.hub.pollers().watch(task_kind::workflow, {"eu"}, leaving_flag);
    one.place->room(false);
    one.hub.committed(*store::decode_announcement(work_of("", 1)), store::announcement_id{1});
    CHECK(one.flag.due == time_point::max());
    leaving.reset();
    CHECK(one.flag.due <= all.now);
    all.processes[1]->place->look();
    one.place->pass_due();
    all.settle();
    CHECK(all.processes[1]->flag.due <= all.now);
}

TEST_CASE("those who pass what becomes due do not give one that is dead his time again")
{
    for (int i = 0; i < 20; ++i) {
        fleet all{5};
        const timestamp due = start_there + 10s + i * 1us;
        store::announcement timer;
        timer.add_workflow_queue("eu", due);
        all.say(store::encode(timer));
        const auto order = all.in_order(); // the first is dead, those behind him have no room
        for (std::size_t full = 1; full != 4; ++full) order[full]->place->room(false);
        all.now = start + 10s + i * 1us + 20ms;
        for (std::size_t full = 1; full != 4; ++full)
            if (order[full]->flag.due <= all.now) order[full]->place->pass_due();
        all.settle();
        CHECK(order[4]->flag.due <= all.now);
        CHECK(all.now < start + 10s + 30ms);
    }
}
