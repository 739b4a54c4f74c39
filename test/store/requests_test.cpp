// Requests that others wrote down: delivered once, in order, or dropped when it is too late.
#include "workbench.hpp"

#include <doctest/doctest.h>

#include <map>
#include <thread>

using namespace perdure;
using namespace perdure::store;

namespace {

const std::vector<std::string> without_none;

std::vector<stored_request> all_requests(workbench& bench)
{
    return bench.wait(bench.store.read_requests({}, 1000, no_limit));
}

std::vector<forwarded> forward_all(workbench& bench)
{
    return bench.wait(bench.store.forward(all_requests(bench)));
}

void write_down(workbench& bench, const std::string& id, int count = 1)
{
    bench.execute(
        "select {schema}.signal('" + id + "', 's', to_json(i)) from generate_series(1, " +
        std::to_string(count) + ") as i");
}

} // namespace

TEST_CASE("requests are delivered as signals, announced, and gone")
{
    const installation on;
    workbench bench{on};
    const instance_key key = bench.start("one");
    bench.execute("select {schema}.signal('one', 'approve', 'true')");
    bench.execute("select {schema}.cancel('one')");
    const auto requests = all_requests(bench);
    REQUIRE(requests.size() == 2);
    CHECK(requests[0].k < requests[1].k);
    for (const forwarded& each : bench.wait(bench.store.forward(requests)))
        CHECK(each.status == forwarding::delivered);
    CHECK(bench.count("requests") == 0);
    CHECK(bench.announcements.confirmed.back().workflow_queues.at(0).queue == "q");
    const workflow_task task = bench.claim_one();
    CHECK(task.instance == key);
    REQUIRE(task.arrived.size() == 2);
    CHECK(task.arrived[0].event.type == event_type::signal_received);
    CHECK(task.arrived[0].event.name == "approve");
    CHECK(task.arrived[0].event.data.text() == "true");
    CHECK(task.arrived[1].event.type == event_type::cancel_requested);
}

TEST_CASE("requests are read in order, a part at a time, without those to some instances")
{
    const installation on;
    workbench bench{on};
    bench.start("one");
    bench.start("two");
    write_down(bench, "one", 3);
    write_down(bench, "two", 3);
    const auto first = bench.wait(bench.store.read_requests({}, 4, no_limit));
    REQUIRE(first.size() == 4);
    CHECK(first[2].id == "one");
    CHECK(first[3].id == "two");
    const auto few = bench.wait(bench.store.read_requests({}, 4, 2)); // each has one
    CHECK(few.size() == 2);
    const auto none = bench.wait(bench.store.read_requests({"one", "two"}, 4, 2));
    CHECK(none.empty());
    const auto others = bench.wait(bench.store.read_requests({"one"}, 4, no_limit));
    REQUIRE(others.size() == 3);
    CHECK(others[0].id == "two");
}

TEST_CASE("of several who deliver the same requests at once each is delivered once, in order")
{
    const installation on;
    workbench bench{on};
    constexpr int instances = 5;
    constexpr int signals = 40;
    for (int round = 0; round < 10; ++round) {
        const std::string name = "round-" + std::to_string(round) + "-";
        for (int i = 0; i < instances; ++i) bench.start(name + std::to_string(i));
        bench.execute(
            "select {schema}.signal('" + name +
            "' || i % 5, 's', to_json(i)) "
            "from generate_series(0, " +
            std::to_string(instances * signals - 1) + ") as i");
        const auto requests = all_requests(bench);
        REQUIRE(requests.size() == instances * signals);
        std::vector<std::thread> others;
        for (int i = 0; i < 3; ++i)
            others.emplace_back([&] {
                workbench other{on};
                for (const forwarded& each : other.wait(other.store.forward(requests)))
                    CHECK(each.status == forwarding::delivered);
            });
        for (std::thread& each : others) each.join();
        CHECK(bench.count("requests") == 0);
        for (const workflow_task& task : bench.claim()) {
            REQUIRE(task.arrived.size() == signals);
            for (std::size_t i = 1; i < signals; ++i)
                CHECK(
                    std::stoi(std::string{task.arrived[i - 1].event.data.text()}) <
                    std::stoi(std::string{task.arrived[i].event.data.text()}));
            bench.complete(workbench::finishing(task));
        }
    }
}

TEST_CASE("a request that is delivered again, because nobody knew of the commit, arrives once")
{
    const installation on;
    workbench bench{on};
    bench.start("one");
    write_down(bench, "one");
    const auto requests = all_requests(bench);
    for (int i = 0; i < 2; ++i)
        CHECK(bench.wait(bench.store.forward(requests)).at(0).status == forwarding::delivered);
    CHECK(bench.claim_one().arrived.size() == 1);

    // A row that another session keeps locked meanwhile: it is taken with the next look.
    write_down(bench, "one");
    bench.run([&]() -> asio::awaitable<void> {
        by_hand stranger = co_await by_hand::connect(on);
        co_await stranger("begin");
        co_await stranger("select k from {schema}.requests for update");
        const auto found = co_await bench.store.read_requests(without_none, 10, no_limit);
        const auto outcome = co_await bench.store.forward(found);
        CHECK(outcome.at(0).status == forwarding::delivered);
        co_await stranger("rollback");
    });
    CHECK(bench.count("requests") == 1);
    CHECK(forward_all(bench).at(0).status == forwarding::delivered);
    CHECK(bench.count("requests") == 0);
    CHECK(bench.count("inbox") == 2);
}

TEST_CASE("a request whose instance has ended is dropped, and said once")
{
    const installation on;
    workbench bench{on};
    bench.start("one");
    bench.start("two");
    write_down(bench, "one");
    write_down(bench, "two");
    bench.complete(workbench::finishing(bench.claim_one()));
    const auto requests = all_requests(bench);
    const auto outcomes = bench.wait(bench.store.forward(requests));
    CHECK(outcomes.at(0).status == forwarding::dropped);
    CHECK(outcomes.at(1).status == forwarding::delivered);
    CHECK(bench.count("requests") == 0);
    CHECK(bench.wait(bench.store.forward(requests)).at(0).status == forwarding::delivered);
}

TEST_CASE("a request is not lost when its instance ends and another of its id begins meanwhile")
{
    const installation on;
    workbench bench{on};
    bench.start("one");
    write_down(bench, "one");
    const workflow_task task = bench.claim_one();
    bench.run([&]() -> asio::awaitable<void> {
        by_hand stranger = co_await by_hand::connect(on);
        by_hand watcher = co_await by_hand::connect(on);
        auto requests = co_await bench.store.read_requests(without_none, 10, no_limit);
        co_await stranger("begin"); // holds the instance while its end and the next start happen
        co_await stranger("select k from {schema}.instances where id = 'one' for update");
        const auto done = spawn(bench.io, bench.store.forward(std::move(requests)));
        co_await watcher.until_blocked();
        co_await stranger("update {schema}.instances set ended = k, state = 1 where id = 'one'");
        co_await stranger("select {schema}.start('w', id => 'one', queue => 'next')");
        co_await stranger("commit");
        co_await test::wait_until([&] { return done->has_value(); });
        CHECK(done->value().at(0).status == forwarding::delivered);
    });
    CHECK(bench.count("requests") == 0);
    CHECK(bench.claim_one("next").arrived.size() == 1);
}

TEST_CASE("a request that was not delivered is not deleted while its id is active")
{
    const installation on;
    workbench bench{on};
    bench.start_finished("one");
    bench.start("one");
    write_down(bench, "one");
    bench.run([&]() -> asio::awaitable<void> {
        by_hand session = co_await by_hand::connect(on);
        SUBCASE("by who came too late for an earlier instance")
        {
            co_await session("prepare taking as " + read_sql("delete_requests"));
            const pg::result gone = co_await session("execute taking(array[1])");
            CHECK(gone.size() == 0);
        }
        SUBCASE("by who removes an earlier instance")
        {
            co_await session("delete from {schema}.history where instance = 1");
            co_await session("select set_config('perdure.targets', '{1}', false)");
            const pg::result removed = co_await session(read_sql("remove_instances"));
            CHECK(removed.size() == 1);
        }
    });
    CHECK(bench.count("requests") == 1);
}

TEST_CASE("a locked instance holds up nobody else's requests, and its own keep their order")
{
    const installation on;
    workbench bench{on};
    for (const char* const id : {"locked", "free"}) bench.start(id);
    write_down(bench, "locked", 3);
    write_down(bench, "free", 3);
    bench.run([&]() -> asio::awaitable<void> {
        by_hand stranger = co_await by_hand::connect(on);
        co_await stranger("begin");
        co_await stranger("select k from {schema}.instances where id = 'locked' for update");
        std::map<std::size_t, forwarded> answered;
        bool held_up = false;
        bool done = false;
        answers<forwarded> hears;
        hears.answer = [&](std::size_t item, forwarded outcome) { answered[item] = outcome; };
        hears.held_up = [&] { held_up = true; };
        auto requests = co_await bench.store.read_requests(without_none, 10, no_limit);
        asio::co_spawn(
            bench.io, bench.store.forward(std::move(requests), std::move(hears)),
            [&](std::exception_ptr failure) {
                CHECK_FALSE(failure);
                done = true;
            });
        co_await test::wait_until([&] { return answered.size() == 3 && held_up; });
        CHECK(answered.contains(3));
        co_await stranger("rollback");
        co_await test::wait_until([&] { return done; });
    });
    for (const workflow_task& task : bench.claim()) {
        REQUIRE(task.arrived.size() == 3);
        for (int i = 0; i < 3; ++i)
            CHECK(
                task.arrived[static_cast<std::size_t>(i)].event.data.text() ==
                std::to_string(i + 1));
    }
}

TEST_CASE("a request stays behind while an earlier one to its instance is not delivered")
{
    const installation on;
    workbench bench{on};
    bench.start("one");
    bench.start("two");
    write_down(bench, "one", 2);
    write_down(bench, "two");
    auto requests = all_requests(bench);
    requests.erase(requests.begin());
    const auto outcomes = bench.wait(bench.store.forward(requests));
    CHECK(outcomes.at(0).status == forwarding::behind);
    CHECK(outcomes.at(1).status == forwarding::delivered);
    CHECK(bench.count("requests") == 2);
    for (const forwarded& each : forward_all(bench)) CHECK(each.status == forwarding::delivered);
    CHECK(bench.count("requests") == 0);
}

TEST_CASE("a request that the server refuses stays, and those behind it; the others go")
{
    const installation on;
    workbench bench{on};
    bench.execute("alter table {schema}.inbox add constraint mood check (name <> 'refused')");
    bench.start("one");
    bench.start("two");
    bench.execute("select {schema}.signal('one', 'refused')");
    write_down(bench, "one");
    write_down(bench, "two");
    const auto outcomes = forward_all(bench);
    CHECK(outcomes.at(0).status == forwarding::rejected);
    CHECK(outcomes.at(0).reason.find("mood") != std::string::npos);
    CHECK(outcomes.at(1).status == forwarding::behind);
    CHECK(outcomes.at(2).status == forwarding::delivered);
    bench.execute("alter table {schema}.inbox drop constraint mood");
    for (const forwarded& each : forward_all(bench)) CHECK(each.status == forwarding::delivered);
    CHECK(bench.count("requests") == 0);
}

TEST_CASE("removing an id removes its requests; those to an active instance stay")
{
    const installation on;
    workbench bench{on};
    bench.start("one");
    bench.start("other");
    write_down(bench, "one");
    write_down(bench, "other");
    bench.complete(workbench::finishing(bench.claim_one()));
    CHECK(bench.remove("one") == removal::removed);
    const auto left = all_requests(bench);
    REQUIRE(left.size() == 1);
    CHECK(left[0].id == "other");
}

TEST_CASE("the safety statement says whether there are requests")
{
    const installation on;
    workbench bench{on};
    const auto requests = [&] {
        pg::connection session = bench.connect();
        return bench.safety(session).requests;
    };
    CHECK_FALSE(requests());
    bench.start("one");
    CHECK_FALSE(requests());
    write_down(bench, "one");
    CHECK(requests());
    forward_all(bench);
    CHECK_FALSE(requests());
}

TEST_CASE("requests are looked at by an index however many there are, and probed by instance")
{
    const installation on;
    workbench bench{on};
    bench.start("one");
    write_down(bench, "one", 2);
    bench.execute(
        "insert into {schema}.requests (id, type, name, data) "
        "select 'n' || i, 'signal_received', 's', 'null' from generate_series(1, 100000) as i");
    const auto pages = [&](const std::string& name, const std::string& arguments) {
        std::int64_t touched = 0;
        bench.run([&]() -> asio::awaitable<void> {
            by_hand session = co_await by_hand::connect(on);
            co_await session("begin");
            co_await session(read_sql("durable_settings"));
            co_await session("prepare planned as " + read_sql(name));
            const pg::result plan = co_await session(
                "explain (analyze, buffers, costs off) execute planned" + arguments);
            for (const auto& [line] : plan.rows<std::string>()) {
                const auto at = line.find("shared hit=");
                if (at == line.npos || touched != 0) continue;
                touched = std::stoll(line.substr(at + 11));
            }
            co_await session("rollback");
        });
        return touched;
    };
    for (const bool analyzed : {false, true}) {
        if (analyzed) bench.execute("analyze {schema}.requests");
        CAPTURE(analyzed);
        CHECK(pages("read_requests", "(array['one'], 200, 1000000)") < 100);
        CHECK(pages("fence_requests", "(array[1, 2], array['one', 'one'])") < 100);
        CHECK(pages("delete_requests", "(array[1, 2])") < 100);
        CHECK(pages("safety", "(array[1, 2], 1)") < 100);
    }
}
