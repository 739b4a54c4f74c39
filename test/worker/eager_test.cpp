// Activities that a worker claims as its workflow tasks schedule them.
#include "steps.hpp"

#include <worker/poller.hpp>

#include <perdure/pg/connection.hpp>
#include <perdure/pg/identifier.hpp>
#include <perdure/store/announcement.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace asio = boost::asio;
using namespace perdure;
using namespace perdure::test;
using namespace std::chrono_literals;

namespace {

/// A session that hears announcements from here on.
asio::awaitable<pg::connection> listen_to(std::string schema)
{
    pg::connection_options options{test_dsn()};
    pg::connection ear = co_await pg::connection::connect(std::move(options));
    const pg::statement listen{"listen " + pg::quote_identifier(schema)};
    co_await ear.execute(listen);
    co_return ear;
}

asio::awaitable<void> hear(
    pg::connection& ear, std::function<bool(const store::announcement&)> wanted)
{
    for (;;) {
        const auto heard =
            co_await ear.wait_notifications(std::chrono::steady_clock::now() + deadline);
        if (heard.empty()) throw std::runtime_error{"it was not announced"};
        for (const pg::notification& each : heard)
            if (wanted(store::decode_announcement(each.payload).value())) co_return;
    }
}

} // namespace

TEST_CASE("activities that the workflow's own worker can run are claimed as they are scheduled")
{
    for (const setting how : every_setting) {
        CAPTURE(to_string(how));
        const installation on{how};
        ledger noted{on};
        process here{on};
        worker& works = here.add_worker();
        employ(works);
        here.start_all();
        CHECK(here.result_of(walk(10)) == 45);
        CHECK(noted.activities(true) == 10);
        CHECK(noted.activities(false) == 0);
        here.stop();
    }
}

TEST_CASE("activities that it cannot run are offered to all")
{
    const installation on;
    ledger noted{on};
    process here{on};
    here.add_worker().implement(walk, run_walk);
    here.add_worker().implement(step, do_step);
    worker_options elsewhere = on.workers();
    elsewhere.queues({"elsewhere"});
    here.add_worker(elsewhere).implement(walk, run_walk);
    here.start_all();
    CHECK(here.result_of(walk(3)) == 3);
    CHECK(noted.activities(true) == 0);
    CHECK(noted.activities(false) == 3);
}

TEST_CASE(
    "eager tasks take no slot that a claim may fill, and half of them while older ones may wait")
{
    using task_poller = poller<store::activity_task>;
    const installation on;
    asio::io_context io;
    const auto core = std::make_shared<engine_core>(io.get_executor(), test_dsn(), on.options());
    const auto all = std::make_shared<slots>(10);
    std::size_t found = 0;            // by each claim
    std::vector<std::int32_t> limits; // of each
    bool answers = false;
    std::vector<slots::slot> taken;
    const auto claims = std::make_shared<task_poller>(
        core, task_kind::activity, std::vector<std::string>{"eu"}, std::vector{all}, 10s,
        [&](store::claim_request request) -> asio::awaitable<store::claimed<store::activity_task>> {
            limits.push_back(request.limit);
            co_await wait_until([&] { return answers; });
            answers = false;
            store::claimed<store::activity_task> claim;
            claim.tasks.resize(
                std::min<std::size_t>(found, static_cast<std::size_t>(request.limit)));
            co_return claim;
        },
        [&](store::activity_task, auto) { taken.push_back(all->take()); });
    const auto room = [&] { return claims->eager_room("eu"); };
    const auto is = [&](std::size_t expected) {
        run(io, wait_until([&] { return room() == expected; }));
        CHECK(room() == expected);
    };
    CHECK(room() == 5); // it has not looked yet
    bool ended = false;
    asio::co_spawn(io, claims->run(), [&](std::exception_ptr) { ended = true; });
    found = 4;
    answers = true;
    is(6); // there was no more
    CHECK(claims->eager_room("elsewhere") == 0);
    core->hub().wake_everybody();
    is(1); // half are promised to its claim
    found = 2;
    answers = true;
    is(4);
    core->hub().wake_everybody();
    is(0);
    found = 4;
    answers = true;
    run(io, wait_until([&] { return all->free() == 0; }));
    taken.resize(4);
    CHECK(room() == 1); // more may wait, so half of the slots are for that
    claims->freed();
    run(io, wait_until([&] { return limits.size() == 4; }));
    CHECK(limits == std::vector{5, 5, 4, 5});
    claims->stop();
    answers = true;
    run(io, wait_until([&] { return ended; }));
    CHECK(room() == 0);
    core->shut_down();
}

TEST_CASE("a function that would have to wait for a thread is offered to all")
{
    const installation on;
    ledger noted{on};
    process here{on};
    worker_options narrow = on.workers();
    narrow.threads(1);
    worker& works = here.add_worker(narrow);
    works.implement(spread, run_spread);
    works.implement(walk, run_walk);
    std::atomic<bool> open = false;
    works.implement(step, [&](activity_context ctx, int given) {
        while (!open && !ctx.stop_token().stop_requested()) std::this_thread::yield();
        return given;
    });
    here.start_all();
    here.run([&]() -> asio::awaitable<void> {
        co_await wait_until([&] { return here.logged("notifications arrive"); });
        auto started = co_await here.client().start(spread(5).id("five"));
        co_await wait_for_history(started, 7);
        open = true;
        co_await started.result();
    });
    CHECK(noted.activities(true) <= 1);
    CHECK(noted.activities(false) >= 4);
}

TEST_CASE("an activity whose worker died after claiming it so is taken over when its lease ends")
{
    const installation on;
    const engine_options nobody_polls = patient(on);
    process first{on, test_dsn(), nobody_polls};
    worker_options brief = on.workers();
    brief.lease(1s);
    worker& dies = first.add_worker(brief);
    dies.implement(walk, run_walk);
    bool dying = false;
    bool begun = false;
    dies.implement(step, [&](activity_context, int given) -> asio::awaitable<int> {
        begun = dying;
        if (dying) co_await pause(1h);
        co_return given;
    });
    first.start_all();
    CHECK(first.result_of(walk(3)) == 3); // it has looked, and is parked

    process second{on, test_dsn(), nobody_polls};
    worker& takes_over = second.add_worker();
    employ(takes_over);
    second.run([&]() -> asio::awaitable<void> {
        pg::connection ear = co_await listen_to(on.schema());
        second.start_all();
        co_await hear(ear, [](const auto& what) {
            return std::ranges::find(what.joined, "a:default") != what.joined.end();
        });
    });

    ledger noted{on};
    dying = true;
    first.run([&]() -> asio::awaitable<void> {
        pg::connection ear = co_await listen_to(on.schema());
        co_await first.client().start(walk(1).id("one"));
        co_await hear(ear, [](const auto& what) { // when the lease ends
            return !what.activity_queues.empty() && what.activity_queues[0].due;
        });
        co_await wait_until([&] { return begun; });
    });
    CHECK(noted.activities(true) == 1);
    // From here on the first process stands still.
    second.run([&]() -> asio::awaitable<void> {
        CHECK(co_await second.client().get(walk, "one").result() == 0);
    });
}
