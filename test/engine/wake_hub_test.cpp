#include <engine/wake_hub.hpp>

#include "fleet.hpp"
#include "run.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>

namespace asio = boost::asio;
using namespace perdure;
using perdure::test::work_on;
using namespace std::chrono_literals;

namespace {

/// A flag with somebody who waits on it, and whether that one was woken.
class parked
{
public:
    explicit parked(asio::io_context& io) : io_{io}, flag_{io.get_executor()} {}

    wake_flag& flag() { return flag_; }

    /// Looks for the tasks of a queue from now on.
    void look_for(wake_hub& hub, task_kind kind, const std::string& queue)
    {
        place_ = hub.pollers().watch(kind, {queue}, flag_);
    }

    /// Looks no more.
    void leave() { place_.reset(); }

    void park()
    {
        woken_ = false;
        flag_.clear();
        if (place_) {
            place_->look();
            place_->found_all(false, {});
        }
        asio::co_spawn(io_, wait(*this), [](std::exception_ptr) {});
        settle();
        REQUIRE_FALSE(woken_);
    }

    bool woken()
    {
        settle();
        return woken_;
    }

    bool woken_already() const { return woken_; }

private:
    static asio::awaitable<void> wait(parked& self)
    {
        co_await self.flag_.wait_until(wake_flag::time_point::max());
        self.woken_ = true;
    }

    void settle()
    {
        io_.restart();
        io_.poll();
    }

    asio::io_context& io_;
    wake_flag flag_;
    std::unique_ptr<lookout> place_;
    bool woken_ = false;
};

struct fixture
{
    asio::io_context io{1};
    wake_hub hub{"me", notification_mode::coalesced, 100ms};
    parked poller{io};
};

} // namespace

TEST_CASE_FIXTURE(
    fixture, "a notification for a queue wakes the pollers of that queue and kind only")
{
    parked activities{io};
    parked elsewhere{io};
    poller.look_for(hub, task_kind::workflow, "eu");
    activities.look_for(hub, task_kind::activity, "eu");
    elsewhere.look_for(hub, task_kind::workflow, "us");
    poller.park();
    activities.park();
    elsewhere.park();
    hub.notified(store::encode(work_on("eu")));
    CHECK(poller.woken());
    CHECK_FALSE(activities.woken());
    CHECK_FALSE(elsewhere.woken());
    hub.wake_everybody();
    io.restart();
    io.poll();
}

TEST_CASE_FIXTURE(
    fixture, "a process does not heed its own notification, since its commit woke it already")
{
    hub.set_path(notification_path::up);
    const auto watching = hub.watch(store::instance_key{7}, poller.flag());
    poller.park();
    store::announcement end;
    end.finished.push_back(store::instance_key{7});
    const auto sent = test::lead(hub, end);
    REQUIRE(sent);
    hub.notified(sent->payload);
    CHECK_FALSE(poller.woken());
    hub.committed(end, sent->id);
    CHECK(poller.woken());
}

TEST_CASE_FIXTURE(fixture, "a notification that cannot be understood wakes everybody")
{
    poller.look_for(hub, task_kind::workflow, "eu");
    for (const auto* payload : {"", "x", "{\"w\":5}", "[]"}) {
        CAPTURE(payload);
        poller.park();
        hub.notified(payload);
        CHECK(poller.woken());
    }
}

TEST_CASE_FIXTURE(fixture, "the end of an instance wakes those who await its result")
{
    parked other{io};
    const auto a = hub.watch(store::instance_key{7}, poller.flag());
    const auto b = hub.watch(store::instance_key{8}, other.flag());
    poller.park();
    other.park();
    store::announcement what;
    what.from = "another";
    what.finished.push_back(store::instance_key{7});
    hub.notified(store::encode(what));
    CHECK(poller.woken());
    CHECK_FALSE(other.woken());
    hub.wake_everybody();
    CHECK(other.woken());
}

TEST_CASE_FIXTURE(
    fixture, "what was not heard of as ended has not, unless something may have been missed")
{
    const store::instance_key one{1}, two{2};
    const auto say_end = [&](store::instance_key of) {
        store::announcement end;
        end.finished.push_back(of);
        end.from = "somebody";
        hub.notified(store::encode(end));
    };
    auto begun = hub.heard_so_far();
    CHECK(hub.may_have_ended(one, begun)); // nothing is heard yet
    hub.set_path(notification_path::up);
    CHECK(hub.may_have_ended(one, begun));
    begun = hub.heard_so_far();
    CHECK_FALSE(hub.may_have_ended(one, begun));
    say_end(two);
    CHECK_FALSE(hub.may_have_ended(one, begun));
    say_end(one); // before the start's own answer
    CHECK(hub.may_have_ended(one, begun));
    CHECK_FALSE(hub.may_have_ended(one, hub.heard_so_far()));

    begun = hub.heard_so_far();
    hub.notified("not understood");
    CHECK(hub.may_have_ended(one, begun));
    begun = hub.heard_so_far();
    hub.set_path(notification_path::down);
    hub.set_path(notification_path::up);
    CHECK(hub.may_have_ended(one, begun));
    begun = hub.heard_so_far();
    for (std::size_t i = 0; i < recent_ends::most; ++i) say_end(two);
    CHECK_FALSE(hub.may_have_ended(one, begun));
    say_end(two); // more than is remembered
    CHECK(hub.may_have_ended(one, begun));
    begun = hub.heard_so_far();
    store::announcement own;
    own.finished.push_back(one);
    hub.committed(own, std::nullopt);
    CHECK(hub.may_have_ended(one, begun));
}

TEST_CASE_FIXTURE(fixture, "when the database's clock was set back everybody looks once")
{
    const timestamp there{1'900'000'000s};
    poller.look_for(hub, task_kind::workflow, "eu");
    hub.set_path(notification_path::up);
    hub.observe_clock(there);
    poller.park();
    hub.observe_clock(there - 500ms); // which announcements allow for
    CHECK_FALSE(poller.woken());
    hub.observe_clock(there - 5s);
    CHECK(poller.woken());
}

TEST_CASE_FIXTURE(
    fixture, "what could not be sent goes out with the next commit, or when it is confirmed")
{
    const auto queues_of = [](const std::string& payload) {
        return store::decode_announcement(payload)->workflow_queues.size();
    };
    const auto fail_to_send = [this] {
        hub.committed(work_on("eu"), std::nullopt);
        CHECK(hub.take_payload());
        hub.not_sent();
        CHECK_FALSE(hub.next_notification());
    };
    fail_to_send();
    const auto along = test::lead(hub, work_on("us"));
    REQUIRE(along);
    CHECK(queues_of(along->payload) == 2);
    hub.committed(work_on("us"), along->id);
    CHECK_FALSE(hub.next_notification());

    fail_to_send();
    hub.committed(work_on("us"), std::nullopt);
    REQUIRE(hub.next_notification());
    CHECK(queues_of(hub.take_payload().value()) == 2);
    hub.sent();

    hub.committed(work_on("eu"), std::nullopt);
    hub.hold();
    CHECK_FALSE(hub.next_notification());
    hub.committed(work_on("us"), std::nullopt);
    CHECK(queues_of(hub.take_payload().value()) == 2);
}

TEST_CASE("what waits goes out along with the next commit, and again if that fails")
{
    auto now = std::chrono::steady_clock::now();
    wake_hub hub{"me", notification_mode::coalesced, 100ms, [&now] { return now; }};
    const auto lead = [&](const std::string& queue) {
        now += 10ms;
        return test::lead(hub, work_on(queue));
    };
    const auto queues_of = [](const std::string& payload) {
        const auto said = store::decode_announcement(payload);
        std::set<std::string> queues;
        for (const auto& each : said.value().workflow_queues) queues.insert(each.queue);
        return queues;
    };
    hub.committed(work_on("eu"), std::nullopt);
    const std::uint64_t told = hub.to_be_told();
    CHECK_FALSE(hub.was_told(told));
    auto rider = lead("us");
    REQUIRE(rider);
    CHECK(queues_of(rider->payload) == std::set<std::string>{"eu", "us"});
    CHECK(hub.next_notification() > now); // unless it is confirmed by then
    CHECK_FALSE(hub.was_told(told));

    hub.not_told(rider->id);
    REQUIRE(hub.next_notification());
    CHECK_FALSE(hub.was_told(told));
    now = *hub.next_notification();
    CHECK(queues_of(hub.take_payload().value()) == std::set<std::string>{"eu"});
    CHECK_FALSE(hub.was_told(told));
    hub.sent();
    CHECK(hub.was_told(told));

    hub.committed(work_on("eu"), std::nullopt);
    rider = lead("us");
    hub.committed(work_on("us"), rider->id);
    CHECK(hub.was_told(hub.to_be_told()));
    CHECK_FALSE(hub.next_notification());

    // A commit that waits for a lock does not hold it up.
    hub.committed(work_on("eu"), std::nullopt);
    std::optional<wake_hub::time_point> urged;
    hub.on_urge([&] { urged = hub.next_notification(); });
    rider = lead("us");
    REQUIRE(urged);
    CHECK(urged == hub.next_notification());
    CHECK(*hub.next_notification() <= now + 50ms);
    now = *hub.next_notification();
    CHECK(queues_of(hub.take_payload().value()) == std::set<std::string>{"eu"});
    hub.sent();
    CHECK_FALSE(hub.next_notification());
    hub.not_told(rider->id);
    CHECK_FALSE(hub.next_notification());

    // A signal's own queue only the database knows, and there may be none: nothing rides on it.
    hub.committed(work_on("eu"), std::nullopt);
    now += 10ms;
    CHECK_FALSE(test::lead(hub, {}));
    REQUIRE(hub.next_notification());
    CHECK(hub.take_payload());
    hub.sent();
    now += 10ms;
    CHECK(test::lead(hub, {}));
}

TEST_CASE_FIXTURE(fixture, "what was held is held again when the commit it went along with fails")
{
    hub.committed(work_on("eu"), std::nullopt);
    REQUIRE(hub.take_payload());
    hub.not_sent();
    const auto rider = test::lead(hub, work_on("us"));
    REQUIRE(rider);
    hub.not_told(rider->id);
    CHECK_FALSE(hub.next_notification()); // the database is away, most likely
    hub.committed({}, std::nullopt);
    CHECK(hub.next_notification());
}

TEST_CASE("a commit takes along only what has room in a payload with what it changes itself")
{
    auto now = std::chrono::steady_clock::now();
    for (const std::size_t ended : {coalescer::most_along, coalescer::most_along + 1}) {
        wake_hub hub{"me", notification_mode::coalesced, 100ms, [&now] { return now; }};
        store::announcement ends;
        for (std::size_t i = 0; i < ended; ++i)
            ends.finished.push_back(store::instance_key{1'000'000'000 + static_cast<int>(i)});
        hub.committed(ends, std::nullopt);
        now += 10ms;
        store::announcement own;
        for (int i = 0; i < 200; ++i)
            own.finished.push_back(store::instance_key{1'100'000'000 + i});
        const auto rider = test::lead(hub, own);
        REQUIRE(rider.has_value() == (ended == coalescer::most_along));
        if (rider)
            CHECK(store::decode_announcement(rider->payload)->finished.size() == ended + 200);
    }
}

TEST_CASE("whoever notifies with every commit may say something else as soon as anybody")
{
    const auto now = std::chrono::steady_clock::now();
    wake_hub hub{"me", notification_mode::transactional, 100ms, [now] { return now; }};
    for (int i = 0; i < 1000; ++i) REQUIRE(test::lead(hub, work_on("eu")));
    hub.committed(work_on("us"), std::nullopt);
    REQUIRE(hub.next_notification());
    CHECK(*hub.next_notification() <= now + 2ms);
}

TEST_CASE_FIXTURE(
    fixture, "an instant is known to others when they were told, not when they are to be")
{
    store::announcement later;
    hub.observe_clock(timestamp{1'900'000'000s});
    later.add_workflow_queue("eu", timestamp{1'900'000'010s});
    REQUIRE(test::lead(hub, later)); // its commit fails
    REQUIRE(test::lead(hub, later)); // this one's, too
    REQUIRE_FALSE(test::lead(hub, later));
    hub.committed(later, std::nullopt);
    CHECK(hub.take_payload());
    hub.sent();
    hub.committed(later, std::nullopt);
    CHECK_FALSE(hub.take_payload());
}

TEST_CASE_FIXTURE(fixture, "each change of the notifications' path makes everybody look once")
{
    poller.look_for(hub, task_kind::activity, "eu");
    for (const auto path :
         {notification_path::up, notification_path::down, notification_path::up}) {
        poller.park();
        hub.set_path(path);
        CHECK(poller.woken());
    }
}

TEST_CASE_FIXTURE(
    fixture, "pollers look at an interval while notifications do not arrive, and never otherwise")
{
    const auto looks_within_the_interval = [this] {
        const wake_hub::time_point deadline = hub.deadline(); // first: both read the clock
        return deadline <= std::chrono::steady_clock::now() + 100ms;
    };
    CHECK(looks_within_the_interval());
    hub.set_path(notification_path::up);
    CHECK(hub.deadline() == wake_hub::time_point::max());
    hub.set_path(notification_path::off);
    CHECK(looks_within_the_interval());
}

TEST_CASE_FIXTURE(
    fixture,
    "a future due time wakes at that instant of the database's clock, however wrong ours is")
{
    const timestamp server =
        timestamp{} + std::chrono::hours{24 * 365 * 30}; // decades away from this machine's clock
    hub.clock().observe(server, std::chrono::steady_clock::now());
    poller.look_for(hub, task_kind::workflow, "eu");
    poller.park();
    store::announcement later;
    later.from = "another";
    later.add_workflow_queue("eu", server + 1h);
    hub.notified(store::encode(later));
    CHECK_FALSE(poller.woken());
    later.workflow_queues.front().due = server + 20ms;
    hub.notified(store::encode(later));
    perdure::test::run(io, perdure::test::wait_until([&] { return poller.woken_already(); }));
    CHECK(std::chrono::steady_clock::now() >= hub.clock().to_steady(server + 20ms));
}

TEST_CASE_FIXTURE(fixture, "nothing is announced to others while notifications are off")
{
    wake_hub silent{"me", notification_mode::none, 100ms};
    CHECK_FALSE(test::lead(silent, work_on("eu")));
    silent.committed(work_on("eu"), std::nullopt);
    CHECK_FALSE(silent.next_notification());
}

TEST_CASE_FIXTURE(fixture, "a flag that is no longer registered is not touched")
{
    poller.look_for(hub, task_kind::workflow, "eu");
    poller.leave();
    poller.park();
    hub.committed(work_on("eu"), std::nullopt);
    CHECK_FALSE(poller.woken());
    poller.flag().raise();
    CHECK(poller.woken());
}
