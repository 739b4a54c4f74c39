// Who looks first, who looks later, and what is said to the others.
#include "fleet.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

using namespace perdure;
using namespace perdure::test;

TEST_CASE("one looks at once, the others each four times as late, and nobody never")
{
    fleet all{9};
    all.say(work_of("a client", 1));
    const auto order = all.in_order();
    std::chrono::milliseconds patience{5};
    CHECK(order[0]->flag.due == all.now);
    for (std::size_t i = 1; i <= 6; ++i) {
        patience *= 4;
        CHECK(order[i]->flag.due == all.now + patience);
    }
    CHECK(order[7]->flag.due == all.now + patience);
    CHECK(order[8]->flag.due == all.now + patience);
}

TEST_CASE("every announcement has an order of its own")
{
    fleet all{4};
    std::map<const void*, int> first;
    for (std::uint32_t id = 1; id <= 400; ++id) {
        all.say(work_of("a client", id));
        auto* const looks = all.in_order().front();
        ++first[looks];
        looks->place->look();
        looks->place->found_all(false, {});
        for (const auto& each : all.processes) {
            each->place->look();
            each->place->found_all(false, {});
        }
        all.now += 1s;
    }
    CHECK(first.size() == 4);
    for (const auto& [who, times] : first) CHECK(times > 50);
}

TEST_CASE("what one has looked for nobody else need look for, once they were told")
{
    fleet all{4};
    all.say(work_of("a client", 7));
    const auto order = all.in_order();
    order[0]->place->look();
    order[0]->place->found_all(true, {});
    CHECK(order[1]->flag.due == all.now + 20ms);
    store::announcement result;
    result.finished.push_back(store::instance_key{1});
    all.now += 3ms;
    const auto rider = lead(order[0]->hub, result);
    REQUIRE(rider);
    all.say(rider->payload);
    for (const auto* each : order) CHECK(each->flag.due == time_point::max());
}

TEST_CASE("what came while one looked is not taken for served")
{
    fleet all{2};
    all.say(work_of("a client", 1));
    auto* const looks = all.in_order().front();
    looks->place->look();
    all.say(work_of("a client", 2));
    looks->place->found_all(true, {});
    CHECK(looks->flag.due <= all.now + 20ms);
    CHECK(looks->flag.due != time_point::max());
    store::announcement result;
    result.finished.push_back(store::instance_key{1});
    all.now += 3ms;
    const auto rider = lead(looks->hub, result);
    REQUIRE(rider);
    const auto said = store::decode_announcement(rider->payload);
    REQUIRE(said);
    REQUIRE(said->served.size() == 1);
    CHECK(said->served[0].ids == std::vector{store::announcement_id{1}});
}

TEST_CASE(
    "what was found is told to those who would look for it, even if nothing else is to be said")
{
    fleet all{2};
    all.say(work_of("a client", 1));
    const auto order = all.in_order();
    REQUIRE(order[1]->flag.due == all.now + 20ms);
    order[0]->place->look();
    order[0]->place->found_all(true, {});
    all.settle();
    CHECK(all.now < start + 20ms);
    CHECK(order[1]->flag.due == time_point::max());
}

TEST_CASE("where many listen the next one may look, rather than wake all to say that it need not")
{
    for (const int count : {2, 9, 10}) {
        CAPTURE(count);
        fleet all{count};
        all.say(work_of("a client", 1));
        auto* const looks = all.in_order().front();
        looks->place->look();
        looks->place->found_all(true, {});
        CHECK(looks->hub.next_notification() == all.now + (count > 9 ? 60ms : 15ms));
    }
}

TEST_CASE("how long a find is kept quiet depends on its queue, and counts from its announcement")
{
    fleet all{1};
    parked flag;
    lookouts& pollers = all.processes[0]->hub.pollers();
    const auto place = pollers.watch(task_kind::workflow, {"crowded", "rare"}, flag);
    std::vector<member_id> crowd;
    for (int i = 0; i != 20; ++i) crowd.push_back(member_id{i});
    pollers.present({task_kind::workflow, "crowded"}, crowd);
    pollers.present({task_kind::workflow, "rare"}, {member_id{1}});
    all.settle();
    all.now += 10ms;
    pollers.heard(
        task_kind::workflow, {"rare", {}, {}}, start_there, store::announcement_id{1}, member_id{1},
        false);
    const time_point announced = all.now;
    place->look();
    all.now += 4ms;
    place->found_all(true, {});
    CHECK(all.processes[0]->hub.next_notification() == announced + 15ms);
}

TEST_CASE("what its sender looks for at once others look for later")
{
    fleet all{3};
    auto& sender = *all.processes[0];
    store::announcement work;
    work.add_workflow_queue("eu");
    all.now += 3ms;
    const auto rider = lead(sender.hub, work);
    CHECK_FALSE(rider); // most likely nobody else need hear of it
    sender.hub.committed(work, std::nullopt);
    CHECK(sender.flag.due <= all.now);
    CHECK(sender.hub.next_notification() > all.now);
    all.settle(); // it has not looked until then
    for (const auto& each : all.processes)
        if (each.get() != &sender) CHECK(each->flag.due >= all.now + 20ms);
}

TEST_CASE("whoever holds the live coroutine looks first, as long as he is there and has room")
{
    fleet all{4};
    const auto work_for = [](std::size_t holder) {
        store::announcement what;
        what.add_workflow_queue("eu", {}, member_of("process " + std::to_string(holder)));
        return what;
    };
    const auto hear = [&](std::size_t holder, std::uint32_t id) {
        for (const auto& each : all.processes) each->place->look(); // what was announced before
        store::announcement what = work_for(holder);
        what.from = "a client";
        what.id = store::announcement_id{id};
        all.say(store::encode(what));
        return all.in_order();
    };
    for (std::uint32_t id = 1; id != 20; ++id) {
        const auto order = hear(id % 4, id);
        CHECK(order[0] == all.processes[id % 4].get());
        CHECK(order[0]->flag.due <= all.now);
        CHECK(order[1]->flag.due == all.now + 20ms);
        CHECK(order[2]->flag.due == all.now + 80ms);
    }
    CHECK(hear(99, 21)[0]->flag.due <= all.now); // nobody knows him

    // Who commits it himself waits, too, unless he is the one.
    auto& one = *all.processes[0];
    auto& other = *all.processes[1];
    for (const auto& each : all.processes) each->place->look();
    all.now += 3ms;
    const auto rider = lead(one.hub, work_for(1));
    REQUIRE(rider);
    all.say(rider->payload);
    one.hub.committed(work_for(1), rider->id);
    CHECK(other.flag.due <= all.now);
    CHECK(one.flag.due >= all.now + 20ms);
    one.place->look();
    one.hub.committed(work_for(0), std::nullopt);
    CHECK(one.flag.due <= all.now);

    // The next one waits for a holder who has committed it himself as for any other, ...
    for (const auto& each : all.processes) each->place->look();
    store::announcement own = work_for(0);
    own.from = "process 0";
    own.id = store::announcement_id{31};
    own.sender_looks = true;
    for (const auto& each : all.processes)
        if (each.get() != &one) each->hub.notified(store::encode(own));
    one.flag.due = all.now; // it looks itself
    CHECK(all.in_order()[1]->flag.due == all.now + 20ms);
    // ... and if the holder is dead the one who has committed it has his place among the others.
    for (std::uint32_t id = 40; id != 60; ++id) {
        for (const auto& each : all.processes) each->place->look();
        store::announcement from_one = work_for(1);
        one.hub.committed(from_one, store::announcement_id{id});
        from_one.from = "process 0";
        from_one.id = store::announcement_id{id};
        all.say(store::encode(from_one));
        const auto order = all.in_order();
        CHECK(order[0] == &other);
        CHECK(order[1]->flag.due == all.now + 20ms);
        CHECK(order[2]->flag.due == all.now + 80ms);
    }

    // One without room lets another look, and is not waited for again.
    other.place->look();
    other.place->room(false);
    hear(1, 22);
    all.settle();
    CHECK(all.in_order()[0]->flag.due <= all.now);
    CHECK(hear(1, 23)[0]->flag.due <= all.now);
}

TEST_CASE("instants that are due later are looked at in an order, too")
{
    fleet all{3};
    const timestamp due = start_there + 10s;
    store::announcement timer;
    timer.add_workflow_queue("eu", due);
    all.say(store::encode(timer));
    const time_point at = start + 10s;
    const auto order = all.in_order();
    CHECK(order[0]->flag.due == at);
    CHECK(order[1]->flag.due == at + 20ms);
    // Who looks says what comes next to those who do not look any more.
    all.now = at;
    order[0]->place->look();
    const std::vector<store::queue_due> next{{"eu", due + 5s}};
    order[0]->place->found_all(false, next);
    all.settle();
    std::set<time_point> instants;
    for (const auto* each : order) instants.insert(each->flag.due);
    CHECK(instants == std::set<time_point>{at + 5s, at + 5s + 20ms, at + 5s + 80ms});
}

TEST_CASE("the end of a lease that was given up before is not looked for")
{
    fleet all{1};
    auto& one = *all.processes[0];
    for (int i = 0; i < 3; ++i) {
        one.place->look();
        const std::vector<store::queue_due> lease{
            {"eu", start_there + 10s + std::chrono::seconds{i}}};
        one.place->found_all(true, lease);
    }
    CHECK(one.flag.due == start + 12s);
    one.place->look();
    one.hub.committed(
        *store::decode_announcement(R"({"w":{"eu":1900000007000000}})"), std::nullopt);
    const std::vector<store::queue_due> nothing{{"eu", std::nullopt}};
    one.place->found_all(false, nothing);
    CHECK(one.flag.due == start + 7s); // a timer that became known while it looked
}

TEST_CASE("a sender that does not look is not waited for")
{
    fleet all{2};
    auto& sender = *all.processes[0];
    auto& other = *all.processes[1];
    sender.place->room(false);
    for (std::uint32_t id = 1; id < 20; ++id) {
        other.place->look();
        other.hub.notified(work_of("process 0", id));
        CHECK(other.flag.due <= all.now);
    }
}

TEST_CASE("the end of a lease is told once in a while, not for each claim")
{
    fleet all{2};
    auto& claims = *all.processes[0];
    const int before = all.notifications;
    for (int i = 0; i < 50; ++i) {
        claims.place->look();
        const timestamp lease_end = start_there + std::chrono::milliseconds{i * 100} + 10s;
        const std::vector<store::queue_due> next{{"eu", lease_end}};
        claims.place->found_all(true, next);
        all.settle();
        all.now = start + std::chrono::milliseconds{(i + 1) * 100};
    }
    CHECK(all.notifications == before + 1);
    CHECK(all.processes[1]->flag.due >= start + 10s);
    CHECK(all.processes[1]->flag.due <= start + 10s + 20ms);
}

TEST_CASE("what was committed and looked for here at once is not told any more")
{
    fleet all{2};
    auto& busy = *all.processes[0];
    store::announcement work;
    work.add_workflow_queue("eu");
    all.now += 3ms;
    CHECK_FALSE(lead(busy.hub, work));
    busy.hub.committed(work, std::nullopt);
    REQUIRE(busy.hub.next_notification() == all.now + 10ms);
    busy.place->look();
    busy.place->found_all(true, {});
    CHECK_FALSE(busy.hub.take_payload());
    // What is committed while it looks it has perhaps not found.
    busy.hub.committed(work, std::nullopt);
    busy.place->look();
    busy.hub.committed(work, std::nullopt);
    busy.place->found_all(true, {});
    all.now += 3ms;
    const auto payload = busy.hub.take_payload();
    REQUIRE(payload);
    CHECK(store::decode_announcement(*payload)->workflow_queues.size() == 1);
}

TEST_CASE("what goes along with a commit is not said to be served before that is looked for, too")
{
    fleet all{2};
    auto& busy = *all.processes[0];
    store::announcement work;
    work.add_workflow_queue("eu");
    busy.hub.committed(work, std::nullopt);
    busy.place->look();
    all.now += 10ms;
    const auto rider = lead(busy.hub, work); // takes it along
    REQUIRE(rider);
    const store::announcement_id id = store::decode_announcement(rider->payload)->id.value();
    busy.place->found_all(true, {}); // before the commit
    busy.place->room(false);
    all.say(rider->payload);
    busy.hub.committed(work, rider->id);
    all.settle();
    CHECK(all.processes[1]->flag.due <= all.now + 20ms); // for what was committed last
    busy.place->room(true);
    busy.place->look();
    busy.hub.committed(work, id);
    busy.place->look();
    busy.place->found_all(true, {});
    all.settle();
    CHECK(all.processes[1]->flag.due == time_point::max());
}

TEST_CASE("who should look first is as unknown here as it is to those who hear of it")
{
    fleet all{2};
    auto& one = *all.processes[0];
    store::announcement unknown;
    unknown.add_workflow_queue("eu");
    one.hub.committed(unknown, std::nullopt);
    one.place->look();
    all.now += 10ms;
    store::announcement known;
    known.add_workflow_queue("eu", {}, member_of("process 1"));
    const auto rider = lead(one.hub, known); // takes the other along
    REQUIRE(rider);
    CHECK(store::decode_announcement(rider->payload)->workflow_queues.at(0).holders.empty());
    one.hub.committed(known, rider->id);
    CHECK(one.flag.due <= all.now);
}

TEST_CASE("a commit right behind a notification takes its own along, the next one does not")
{
    fleet all{1};
    auto& hub = all.processes[0]->hub;
    all.processes[0]->place->room(false);
    store::announcement work;
    work.add_workflow_queue("eu");
    all.now += 10ms;
    hub.committed(work, std::nullopt);
    REQUIRE(hub.next_notification() == all.now);
    REQUIRE(hub.take_payload());
    CHECK(lead(hub, work));
    CHECK_FALSE(lead(hub, work));
    all.now += 2ms;
    CHECK(lead(hub, work));
    CHECK_FALSE(lead(hub, work));
}

TEST_CASE(
    "no more than one notification in two milliseconds goes out, and one more, and nothing is "
    "left unsaid")
{
    fleet all{1};
    auto& hub = all.processes[0]->hub;
    all.processes[0]->place->room(false);
    int sent = 0;
    std::set<store::instance_key> said;
    const auto note = [&](const std::string& payload) {
        ++sent;
        const auto what = store::decode_announcement(payload);
        said.insert(what->finished.begin(), what->finished.end());
    };
    all.now += 10ms;
    const time_point begun = all.now;
    for (int i = 0; i < 1000; ++i) {
        store::announcement what;
        what.finished.push_back(store::instance_key{i});
        const auto rider = lead(hub, what);
        if (rider) note(rider->payload);
        hub.committed(what, rider ? std::optional{rider->id} : std::nullopt);
        if (const auto at = hub.next_notification(); at && *at <= all.now)
            if (const auto payload = hub.take_payload()) note(*payload);
        all.now += 100us;
    }
    if (hub.next_notification()) note(*hub.take_payload());
    CHECK(sent <= (all.now - begun) / 2ms + 2);
    CHECK(said.size() == 1000);
}

TEST_CASE("an instant that went unsaid, since others were to look earlier, is said once they have")
{
    for (const bool in_time : {true, false}) {
        CAPTURE(in_time);
        fleet all{2};
        auto& one = *all.processes[0];
        store::announcement timer;
        timer.add_workflow_queue("eu", start_there + 1s);
        all.say(store::encode(timer));
        all.now = start + 999ms;
        store::announcement batch;
        batch.finished.push_back(store::instance_key{7});
        batch.add_workflow_queue("eu", start_there + 10s);
        const auto rider = lead(one.hub, batch);
        REQUIRE(rider);
        CHECK(store::decode_announcement(rider->payload)->workflow_queues.empty());
        if (!in_time) all.now += 2ms; // they have looked, and have not seen it
        one.hub.committed(batch, rider->id);
        all.now += 10ms;
        const auto payload = one.hub.take_payload();
        REQUIRE(payload.has_value() != in_time);
        if (payload)
            CHECK(
                store::decode_announcement(*payload)->workflow_queues.at(0).due ==
                start_there + 10s);
    }
}

TEST_CASE("who leaves without having looked for what was committed here has others told at once")
{
    fleet all{0};
    auto& one = all.add("process 0");
    one.hub.committed(work_on("eu"), std::nullopt);
    REQUIRE(one.hub.next_notification() == all.now + 10ms);
    one.place.reset();
    CHECK(one.hub.next_notification() == all.now);
}

TEST_CASE("who leaves says so together with what it would have looked for")
{
    fleet all{2};
    auto& one = *all.processes[0];
    all.now += 10ms;
    std::vector<store::announcement> said;
    one.hub.on_urge([&] {
        if (one.hub.next_notification() > all.now) return;
        if (const auto payload = one.hub.take_payload())
            said.push_back(*store::decode_announcement(*payload));
        one.hub.sent();
    });
    one.hub.committed(work_on("eu"), std::nullopt);
    REQUIRE(said.empty());
    one.place.reset();
    REQUIRE(said.size() == 1);
    CHECK(said[0].workflow_queues.size() == 1);
    CHECK(said[0].left.size() == 1);
}
