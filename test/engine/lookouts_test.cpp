// Who looks first, who looks later, and what is said to the others: without a database, in virtual
// time.
#include <engine/wake_hub.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

using namespace perdure;
using namespace std::chrono_literals;
using time_point = std::chrono::steady_clock::time_point;

namespace {

struct parked final : wakeable
{
    void raise() override { raised = true; }
    void wake_at(time_point at) override { due = at; }
    bool raised = false;
    time_point due = time_point::max();
};

constexpr time_point start{1h};
constexpr timestamp start_there{1'900'000'000s};
const topic eu{task_kind::workflow, "eu"};

/// Some processes with a poller each, who hear what the others say.
struct fleet
{
    struct process
    {
        process(fleet& of, const std::string& name)
            : hub{name, notification_mode::coalesced, 1s, [&of] { return of.now; }}
        {
            hub.clock().observe(start_there, start);
            hub.set_path(notification_path::up);
            place = hub.pollers().watch(task_kind::workflow, {"eu"}, flag);
        }
        wake_hub hub;
        parked flag;
        std::unique_ptr<lookout> place;
    };

    explicit fleet(int count)
    {
        std::vector<member_id> members;
        for (int i = 0; i < count; ++i) {
            const std::string name = "process " + std::to_string(i);
            processes.push_back(std::make_unique<process>(*this, name));
            members.push_back(member_of(name));
        }
        for (const auto& each : processes) each->hub.pollers().present(eu, members);
        settle();
        for (const auto& each : processes) each->flag.raised = false;
    }

    /// Everybody hears it, who sent it too.
    void say(const std::string& payload)
    {
        ++notifications;
        for (const auto& each : processes) each->hub.notified(payload);
    }

    /// Until nobody has anything to say.
    void settle()
    {
        for (bool more = true; more;) {
            more = false;
            for (const auto& each : processes) {
                const auto at = each->hub.next_notification();
                if (!at) continue;
                more = true;
                now = std::max(now, *at);
                if (const auto payload = each->hub.take_payload()) say(*payload);
                each->hub.sent();
            }
        }
    }

    /// Who would look now, and who later.
    std::vector<process*> in_order()
    {
        std::vector<process*> order;
        for (const auto& each : processes) order.push_back(each.get());
        std::ranges::sort(order, {}, [](const process* each) { return each->flag.due; });
        return order;
    }

    time_point now = start;
    int notifications = 0;
    std::vector<std::unique_ptr<process>> processes;
};

std::string work_of(const std::string& sender, std::uint32_t id)
{
    store::announcement what;
    what.add_workflow_queue("eu");
    what.from = sender;
    what.id = store::announcement_id{id};
    return store::encode(what);
}

} // namespace

TEST_CASE("one looks at once, the others each four times as late, the last ones not at all")
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
    CHECK(order[7]->flag.due == time_point::max());
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
    const auto rider = order[0]->hub.lead(result);
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
    const auto rider = looks->hub.lead(result);
    REQUIRE(rider);
    const auto said = store::decode_announcement(rider->payload);
    REQUIRE(said);
    REQUIRE(said->served.size() == 1);
    CHECK(said->served[0].ids == std::vector{store::announcement_id{1}});
}

TEST_CASE("who has no room passes, until one has, and is asked last from then on")
{
    fleet all{5};
    auto& free = *all.processes[3];
    for (const auto& each : all.processes)
        if (each.get() != &free) each->place->room(false);
    for (std::uint32_t id = 1; id <= 20; ++id) {
        free.flag.due = time_point::max();
        all.say(work_of("a client", id));
        all.settle();
        CHECK(free.flag.due <= all.now);
        free.place->look();
        free.place->found_all(true, {});
        all.now += 1s;
    }
    CHECK(all.notifications < 20 + 5 + 5); // each passed once at most, and all had joined
}

TEST_CASE("when nobody has room nobody passes for ever, and who gets room looks by itself")
{
    fleet all{3};
    for (const auto& each : all.processes) each->place->room(false);
    all.say(work_of("a client", 1));
    all.settle();
    CHECK(all.notifications < 3 + 1 + 3);
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

TEST_CASE("what its sender looks for at once others look for later")
{
    fleet all{3};
    auto& sender = *all.processes[0];
    store::announcement work;
    work.add_workflow_queue("eu");
    all.now += 3ms;
    const auto rider = sender.hub.lead(work);
    CHECK_FALSE(rider); // most likely nobody else need hear of it
    sender.hub.committed(work, std::nullopt);
    CHECK(sender.flag.due <= all.now);
    CHECK_FALSE(sender.hub.is_urgent());
    all.settle(); // it has not looked until then
    for (const auto& each : all.processes)
        if (each.get() != &sender) CHECK(each->flag.due >= all.now + 20ms);
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
    CHECK_FALSE(busy.hub.lead(work));
    busy.hub.committed(work, std::nullopt);
    REQUIRE(busy.hub.next_notification() == all.now + 2ms);
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

TEST_CASE("at most one notification goes out every two milliseconds, and nothing is left unsaid")
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
        const auto rider = hub.lead(what);
        if (rider) note(rider->payload);
        hub.committed(what, rider ? std::optional{rider->id} : std::nullopt);
        if (const auto at = hub.next_notification(); at && *at <= all.now)
            if (const auto payload = hub.take_payload()) note(*payload);
        all.now += 100us;
    }
    if (hub.next_notification()) note(*hub.take_payload());
    CHECK(sent <= (all.now - begun) / 2ms + 1);
    CHECK(said.size() == 1000);
}
