// Rows that a stranger has locked: only what is about them waits.
#include "workbench.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>

using namespace perdure;
using namespace perdure::store;

namespace {

/// Hears the answers to a batch, and remembers them.
template <class Outcome>
struct hearing
{
    answers<Outcome> hears()
    {
        answers<Outcome> each;
        each.answer = [this](std::size_t item, Outcome outcome) {
            REQUIRE(answered.emplace(item, std::move(outcome)).second); // once
        };
        each.held_up = [this] { held_up = true; };
        return each;
    }

    std::map<std::size_t, Outcome> answered;
    bool held_up = false;
};

/// Runs a batch of three, whose second is locked: the others are answered while it is.
template <class Outcome, class Check>
void expect_neighbours_answered(
    const installation& on, workbench& bench, std::string lock,
    std::function<asio::awaitable<void>(answers<Outcome>)> send, Check check)
{
    hearing<Outcome> heard;
    bool done = false;
    bench.run([&]() -> asio::awaitable<void> {
        by_hand stranger = co_await by_hand::connect(on);
        co_await stranger("begin");
        co_await stranger(lock);
        asio::co_spawn(bench.io, send(heard.hears()), [&](std::exception_ptr failure) {
            CHECK_FALSE(failure);
            done = true;
        });
        co_await test::wait_until([&] { return heard.answered.size() == 2 && heard.held_up; });
        CHECK_FALSE(heard.answered.contains(1));
        CHECK_FALSE(done);
        co_await stranger("rollback");
        co_await test::wait_until([&] { return done; });
    });
    REQUIRE(heard.answered.size() == 3);
    for (const auto& [item, outcome] : heard.answered) {
        CAPTURE(item);
        check(outcome);
    }
}

} // namespace

TEST_CASE("a locked instance does not hold up the answers to the completions of others")
{
    const installation on;
    workbench bench{on};
    for (int i = 0; i < 3; ++i) bench.start(std::to_string(i));
    std::vector<workflow_completion> batch;
    for (const workflow_task& task : bench.claim()) batch.push_back(workbench::completion(task));
    expect_neighbours_answered<workflow_completed>(
        on, bench, "select k from {schema}.instances where id = '1' for update",
        [&](answers<workflow_completed> hears) {
            return bench.store.complete(batch, std::move(hears));
        },
        [](const workflow_completed& outcome) {
            CHECK(outcome.status == completion_status::confirmed);
        });
}

TEST_CASE("a lock on a task's own row does not hold up the others either")
{
    const installation on;
    workbench bench{on};
    bench.start("one");
    bench.complete(workbench::scheduling(bench.claim_one(), 3));
    std::vector<activity_completion> batch;
    for (const activity_task& task : bench.claim_activities())
        batch.push_back(workbench::completion(task));
    std::ranges::sort(batch, {}, &activity_completion::operation);
    expect_neighbours_answered<activity_completed>(
        on, bench, "select id from {schema}.activity_tasks where operation = 2 for update",
        [&](answers<activity_completed> hears) {
            return bench.store.complete(batch, std::move(hears));
        },
        [](const activity_completed& outcome) {
            CHECK(outcome.status == completion_status::confirmed);
        });
    CHECK(bench.claim_one().arrived.size() == 3);
}

TEST_CASE("a locked instance does not hold up the answers to the signals of others")
{
    const installation on;
    workbench bench{on};
    std::vector<signal_request> batch;
    for (int i = 0; i < 3; ++i) {
        bench.start(std::to_string(i));
        signal_request& request = batch.emplace_back();
        request.id = std::to_string(i);
        request.name = "s";
        request.data = text("1");
        request.key = draw_key();
    }
    expect_neighbours_answered<signalled>(
        on, bench, "select k from {schema}.instances where id = '1' for no key update",
        [&](answers<signalled> hears) { return bench.store.signal(batch, std::move(hears)); },
        [](const signalled& outcome) { CHECK(outcome.status == signal_status::delivered); });
    for (const workflow_task& task : bench.claim()) CHECK(task.arrived.size() == 1);
}

TEST_CASE("an id that somebody is about to take does not hold up the answers to other starts")
{
    const installation on;
    workbench bench{on};
    const std::vector<new_instance> batch{
        workbench::request("0"), workbench::request("1"), workbench::request("2")};
    expect_neighbours_answered<created>(
        on, bench,
        "insert into {schema}.instances (id, workflow, queue, history_length, history_bytes, "
        "start_key, metadata) values ('1', 'w', 'q', 1, 0, gen_random_uuid(), '')",
        [&](answers<created> hears) { return bench.store.create(batch, std::move(hears)); },
        [](const created& outcome) { CHECK(outcome.status == created::status::created); });
}

TEST_CASE("a probe for locks waits for nobody and leaves nothing locked")
{
    const installation on;
    workbench bench{on};
    const instance_key key = bench.start("one");
    bench.start("two");
    bench.run([&]() -> asio::awaitable<void> {
        by_hand stranger = co_await by_hand::connect(on);
        by_hand probe = co_await by_hand::connect(on);
        co_await stranger("begin");
        co_await stranger("select k from {schema}.instances where id = 'two' for update");
        const pg::statement find = on.sql(read_sql("find_locked"));
        const std::vector<instance_key> keys{key};
        const std::vector<std::string> ids{"two", "nobody"};
        const pg::result locked = co_await probe.session().execute(find, keys, ids);
        REQUIRE(locked.size() == 1);
        CHECK(locked.get<std::string>(0, 1) == "two");
        co_await stranger("select k from {schema}.instances for update"); // nor the other
        co_await stranger("rollback");
    });
}
