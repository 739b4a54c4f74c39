// Starting instances, and what is known of them.
#include "workbench.hpp"

#include <doctest/doctest.h>

#include <thread>

using namespace perdure;
using namespace perdure::store;

TEST_CASE("an instance is created with its first event and a task that can be claimed")
{
    const installation on;
    workbench bench{on};
    new_instance request = workbench::request("order-1");
    request.metadata = text("{\"trace\":1}");
    const created made = bench.wait(bench.store.create({request})).at(0);
    CHECK(made.status == created::status::created);
    CHECK(made.run == 1);

    const auto state = bench.wait(bench.store.state("order-1"));
    REQUIRE(state);
    CHECK(state->instance == made.instance);
    CHECK(state->workflow == "w");
    CHECK(state->queue == "q");
    CHECK(state->status == instance_status::running);
    CHECK(state->history_length == 1);
    CHECK(state->history_bytes == 3);
    CHECK(state->problem.empty());
    CHECK_FALSE(state->finished_at);
    CHECK(state->metadata == request.metadata);

    const std::vector<event> history = bench.wait(bench.store.history("order-1"));
    REQUIRE(history.size() == 1);
    CHECK(history[0].type == event_type::workflow_started);
    CHECK(history[0].name == "w");
    CHECK(history[0].data == text("[1]"));
}

TEST_CASE("a second active instance with the same id is refused with already_exists")
{
    const installation on;
    workbench bench{on};
    const instance_key first = bench.start("one");
    const created second = bench.wait(bench.store.create({workbench::request("one")})).at(0);
    CHECK(second.status == created::status::already_exists);
    CHECK(second.instance == first);
    CHECK(bench.count("instances") == 1);
    CHECK(bench.count("history") == 1);
}

TEST_CASE("the id of a finished instance can be used again")
{
    const installation on;
    workbench bench{on};
    const instance_key first = bench.start("one");
    CHECK(
        bench.complete(workbench::finishing(bench.claim_one())).status ==
        completion_status::confirmed);
    const created second = bench.wait(bench.store.create({workbench::request("one")})).at(0);
    CHECK(second.status == created::status::created);
    CHECK(second.instance != first);
    CHECK(bench.wait(bench.store.state("one"))->instance == second.instance);
    CHECK(bench.wait(bench.store.state(first))->status == instance_status::completed);
}

TEST_CASE("metadata given at creation comes back on the task, empty included")
{
    const installation on;
    workbench bench{on};
    new_instance with = workbench::request("with");
    with.metadata = text("{\"a\":\"b\"}");
    bench.wait(bench.store.create({with}));
    CHECK(bench.claim_one().metadata == with.metadata);
    bench.start("without");
    CHECK(bench.claim_one().metadata.empty());
}

TEST_CASE("a start that repeats its key gives the first outcome, also after the instance finished")
{
    const installation on;
    workbench bench{on};
    const new_instance request = workbench::request("one");
    const created first = bench.wait(bench.store.create({request})).at(0);
    const created second = bench.wait(bench.store.create({request})).at(0);
    CHECK(second.status == created::status::repeated);
    CHECK(second.instance == first.instance);
    bench.complete(workbench::finishing(bench.claim_one()));
    const created third = bench.wait(bench.store.create({request})).at(0);
    CHECK(third.status == created::status::repeated);
    CHECK(third.instance == first.instance);
    CHECK(bench.count("instances") == 1);
}

TEST_CASE("a batch of starts creates each id once, whatever is in it twice")
{
    const installation on;
    workbench bench{on};
    bench.start("taken");
    const new_instance twice = workbench::request("twice");
    const std::vector<created> made = bench.wait(bench.store.create(
        {workbench::request("b"), twice, workbench::request("taken"), twice,
         workbench::request("a"), workbench::request("twice")}));
    REQUIRE(made.size() == 6);
    CHECK(made[0].status == created::status::created);
    CHECK(made[1].status == created::status::created);
    CHECK(made[2].status == created::status::already_exists);
    CHECK(made[3].status == created::status::repeated);
    CHECK(made[3].instance == made[1].instance);
    CHECK(made[4].status == created::status::created);
    CHECK(made[5].status == created::status::already_exists);
    CHECK(made[5].instance == made[1].instance);
    CHECK(bench.count("instances") == 4);
    CHECK(bench.count("workflow_tasks") == 4);
}

TEST_CASE(
    "a start that repeats its key leaves a trace, so that its commit waits for a standby, too")
{
    const installation on;
    workbench bench{on};
    const new_instance first = workbench::request("one");
    bench.wait(bench.store.create({first}));
    CHECK(bench.value<std::string>("select xmax::text from {schema}.instances") == "0");
    bench.wait(bench.store.create({first}));
    CHECK(bench.value<std::string>("select xmax::text from {schema}.instances") != "0");
}

TEST_CASE("a start that repeats its key does not stand in the way of another in its batch")
{
    const installation on;
    workbench bench{on};
    const new_instance first = workbench::request("one");
    const instance_key before = bench.wait(bench.store.create({first})).at(0).instance;
    bench.complete(workbench::finishing(bench.claim_one()));
    const std::vector<created> made =
        bench.wait(bench.store.create({first, workbench::request("one")}));
    CHECK(made.at(0).status == created::status::repeated);
    CHECK(made.at(0).instance == before);
    CHECK(made.at(1).status == created::status::created);
    CHECK(made.at(1).instance != before);
}

TEST_CASE("two clients create one id at once: exactly one wins, a hundred times of a hundred")
{
    const installation on;
    constexpr int rounds = 100;
    std::vector<int> wins[2];
    const auto client = [&on](std::vector<int>& won) {
        workbench bench{on};
        for (int i = 0; i < rounds; ++i) {
            const std::string id = "race-" + std::to_string(i);
            const created made = bench.wait(bench.store.create({workbench::request(id)})).at(0);
            won.push_back(made.status == created::status::created);
        }
    };
    std::thread other{client, std::ref(wins[1])};
    client(wins[0]);
    other.join();
    for (std::size_t i = 0; i < rounds; ++i) CHECK(wins[0][i] + wins[1][i] == 1);
}

TEST_CASE("two clients that create many ids in opposite orders do not deadlock")
{
    const installation on;
    constexpr int rounds = 30;
    const auto client = [&on](bool forward, int& won) {
        workbench bench{on};
        for (int i = 0; i < rounds; ++i) {
            std::vector<new_instance> batch;
            for (int j = 0; j < 20; ++j)
                batch.push_back(workbench::request(
                    std::to_string(i) + "-" + std::to_string(forward ? j : 19 - j)));
            for (const created& made : bench.wait(bench.store.create(std::move(batch))))
                won += made.status == created::status::created;
        }
    };
    int wins[2] = {0, 0};
    workbench bench{on};
    const auto deadlocks = [&bench] {
        return bench.value<std::int64_t>(
            "select deadlocks from pg_stat_database where datname = current_database()");
    };
    const std::int64_t before = deadlocks();
    std::thread other{client, false, std::ref(wins[1])};
    client(true, wins[0]);
    other.join();
    CHECK(wins[0] + wins[1] == rounds * 20);
    CHECK(deadlocks() == before);
}

TEST_CASE("a start waits for an earlier one of the same key, even if that instance ends meanwhile")
{
    const installation on;
    workbench bench{on};
    const new_instance request = workbench::request("b-one");
    const new_instance blocker = workbench::request("a-first");
    bench.run([&]() -> asio::awaitable<void> {
        // The batch takes its snapshot and waits for a-first. Meanwhile an earlier start of b-one,
        // whose outcome its client does not know, commits, and the instance finishes.
        by_hand stranger = co_await by_hand::connect(on);
        by_hand watcher = co_await by_hand::connect(on);
        co_await stranger("begin");
        co_await stranger(
            "insert into {schema}.instances (id, workflow, queue, history_length, history_bytes, "
            "start_key, metadata) values ('a-first', 'w', 'q', 1, 0, gen_random_uuid(), '')");
        const auto outcome = spawn(bench.io, bench.store.create({blocker, request}));
        co_await watcher.until_blocked();
        const pg::statement earlier = on.sql(
            "insert into {schema}.instances (id, workflow, queue, history_length, history_bytes, "
            "start_key, metadata, ended, state) values ('b-one', 'w', 'q', 1, 0, $1, '', 77, 1)");
        co_await watcher.session().execute(earlier, request.start_key);
        co_await stranger("rollback");
        co_await test::wait_until([&] { return outcome->has_value(); });
        const std::vector<created>& made = **outcome;
        CHECK(made[0].status == created::status::created);
        CHECK(made[1].status == created::status::repeated);
    });
    CHECK(
        bench.value<std::int64_t>("select count(*) from {schema}.instances where id = 'b-one'") ==
        1);
}

TEST_CASE("an instance that the server refuses does not fail the others of its batch")
{
    const installation on;
    workbench bench{on};
    new_instance bad = workbench::request(std::string{"nul\0byte", 8});
    const auto outcomes =
        bench.wait(bench.store.create({workbench::request("a"), bad, workbench::request("b")}));
    CHECK(outcomes.at(0).status == created::status::created);
    CHECK(outcomes.at(1).status == created::status::rejected);
    CHECK(outcomes.at(1).reason.find("0x00") != std::string::npos); // the server's words
    CHECK(outcomes.at(2).status == created::status::created);
    CHECK(bench.count("instances") == 2);
}

TEST_CASE("results are those of the instances that have finished")
{
    const installation on;
    workbench bench{on};
    const instance_key good = bench.start("good");
    bench.complete(workbench::finishing(bench.claim_one()));
    const instance_key bad = bench.start("bad");
    bench.complete(workbench::finishing(bench.claim_one(), finish::kind::failed));
    const instance_key running = bench.start("running");
    const auto results = bench.wait(bench.store.results({running, bad, good}));
    REQUIRE(results.size() == 2);
    for (const instance_result& each : results) {
        CHECK(each.data == text("\"end\""));
        if (each.instance == good) CHECK(each.kind == finish::kind::completed);
        if (each.instance == bad) CHECK(each.kind == finish::kind::failed);
    }
}

TEST_CASE("a list pages through the instances, newest first, and filters them")
{
    const installation on;
    workbench bench{on};
    for (int i = 0; i < 25; ++i) bench.start("i-" + std::to_string(i), i % 2 ? "odd" : "even");
    std::vector<std::string> ids;
    list_request request;
    request.limit = 10;
    for (;;) {
        const auto page = bench.wait(bench.store.list(request));
        for (const instance_state& each : page) ids.push_back(each.id);
        if (page.size() < 10) break;
        request.before = page.back().instance;
    }
    REQUIRE(ids.size() == 25);
    CHECK(ids.front() == "i-24");
    CHECK(ids.back() == "i-0");

    bench.complete(workbench::finishing(bench.claim_one("odd")));
    list_request filtered;
    filtered.queue = "odd";
    filtered.status = instance_status::running;
    CHECK(bench.wait(bench.store.list(filtered)).size() == 11);
    filtered.status = instance_status::completed;
    CHECK(bench.wait(bench.store.list(filtered)).size() == 1);
    filtered.workflow = "other";
    CHECK(bench.wait(bench.store.list(filtered)).empty());
}

TEST_CASE("the state of an id that there never was is nothing")
{
    const installation on;
    workbench bench{on};
    CHECK_FALSE(bench.wait(bench.store.state("nobody")));
    CHECK_FALSE(bench.wait(bench.store.state(static_cast<instance_key>(1))));
    CHECK(bench.wait(bench.store.history("nobody")).empty());
}

TEST_CASE("a start that leaves no trace however often it is sent is rejected in the end")
{
    const installation on;
    workbench bench{on};
    bench.execute("create function {schema}.swallow() returns trigger language plpgsql as "
                  "'begin if new.id = ''one'' then return null; end if; return new; end'");
    bench.execute("create trigger swallow before insert on {schema}.instances "
                  "for each row execute function {schema}.swallow()");
    const auto made =
        bench.wait(bench.store.create({workbench::request("one"), workbench::request("two")}));
    CHECK(made.at(0).status == created::status::rejected);
    CHECK_FALSE(made.at(0).reason.empty());
    CHECK(made.at(1).status == created::status::created);
}
