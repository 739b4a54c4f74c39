// End to end: a signal is delivered or refused, never swallowed, whatever its instance is doing at
// the time.
#include "acceptance/installation.hpp"

#include <perdure/workflow/context.hpp>
#include <perdure/workflow/definitions.hpp>
#include <perdure/workflow/task.hpp>

#include <doctest/doctest.h>

#include <string>
#include <thread>

namespace asio = boost::asio;
using namespace perdure;
using namespace perdure::test;
using namespace std::chrono_literals;

namespace {

constexpr workflow<"hear", std::string()> hear;
constexpr activity<"hold", void()> hold;
constexpr signal<"word", std::string> word;

/// Runs an activity, then gives back the first word.
task<std::string> run_hear(context ctx)
{
    co_await ctx.run(hold());
    std::string heard = co_await ctx.receive(word);
    co_return heard;
}

} // namespace

TEST_CASE("C: a signal sent before the first task is delivered")
{
    for (const setting how : every_setting) {
        CAPTURE(to_string(how));
        const installation on{how};
        process here{on};
        worker& runs = here.add_worker();
        runs.implement(hear, run_hear);
        runs.implement(hold, [](activity_context) {});
        const std::string heard = here.run([&]() -> asio::awaitable<std::string> {
            auto started = co_await here.client().start(hear());
            co_await started.signal(word, "early"); // no worker runs yet
            here.start_all();
            std::string answer = co_await started.result();
            co_return answer;
        });
        CHECK(heard == "early");
    }
}

TEST_CASE("C: a signal sent while its instance is executed is delivered")
{
    static constexpr workflow<"overhear", std::string()> overhear;
    for (const setting how : every_setting) {
        CAPTURE(to_string(how));
        const installation on{how};
        const auto send_from_elsewhere = [&on] { // blocks the workflow's task in mid-run
            std::thread{[&on] {
                process elsewhere{on};
                elsewhere.run([&]() -> asio::awaitable<void> {
                    co_await elsewhere.client().get("busy").signal(
                        "word", encode(std::string{"meanwhile"}));
                });
            }}.join();
            return true;
        };
        process here{on};
        here.add_worker().implement(
            overhear, [&send_from_elsewhere](context ctx) -> task<std::string> {
                co_await ctx.side_effect(send_from_elsewhere);
                std::string heard = co_await ctx.receive(word);
                co_return heard;
            });
        here.start_all();
        here.run([&]() -> asio::awaitable<void> {
            auto started = co_await here.client().start(overhear().id("busy"));
            const std::string heard = co_await started.result();
            CHECK(heard == "meanwhile");
            const auto history = co_await started.history();
            CHECK(history.size() == 6); // started, task, side effect, signal, task, completed
        });
    }
}

TEST_CASE("signals that a run did not receive reach the next run of its chain")
{
    static constexpr workflow<"chain", std::string(std::string)> chain;
    for (const setting how : every_setting) {
        CAPTURE(to_string(how));
        const installation on{how};
        process here{on};
        here.add_worker().implement(
            chain, [](context ctx, std::string so_far) -> task<std::string> {
                const std::string next = co_await ctx.receive(word);
                so_far += next;
                if (so_far.size() < 3) co_await ctx.continue_as_new(chain(so_far));
                co_return so_far;
            });
        const std::string all = here.run([&]() -> asio::awaitable<std::string> {
            auto started = co_await here.client().start(chain(""));
            for (const char* each : {"a", "b", "c"}) co_await started.signal(word, each);
            here.start_all(); // all three are there in the first run already
            std::string received = co_await started.result();
            const auto state = co_await started.state();
            CHECK(state.run == 3);
            const auto first = co_await started.history(1);
            CHECK(first.back().type == event_type::workflow_continued);
            co_return received;
        });
        CHECK(all == "abc");
    }
}

TEST_CASE("C: a signal sent while its instance is parked wakes it")
{
    for (const setting how : every_setting) {
        CAPTURE(to_string(how));
        const installation on{how};
        process here{on};
        worker& runs = here.add_worker();
        runs.implement(hear, run_hear);
        runs.implement(hold, [](activity_context) {});
        here.start_all();
        const std::string heard = here.run([&]() -> asio::awaitable<std::string> {
            auto started = co_await here.client().start(hear());
            co_await wait_for_history(started, 5); // it has run the activity and waits for the word
            co_await started.signal(word, "now");
            std::string answer = co_await started.result();
            co_return answer;
        });
        CHECK(heard == "now");
    }
}

TEST_CASE("C: ten thousand signals to one instance all arrive, in order")
{
    static constexpr workflow<"collect-all", bool(std::int64_t, std::int64_t)> collect_all;
    static constexpr signal<"number", std::int64_t> number;
    constexpr std::int64_t count = 10'000;
    for (const setting how : every_setting) {
        CAPTURE(to_string(how));
        const installation on{how};
        process here{on};
        here.add_worker().implement(
            collect_all, [](context ctx, std::int64_t from, std::int64_t to) -> task<bool> {
                for (std::int64_t next = from; next < to; ++next) {
                    const std::int64_t received = co_await ctx.receive(number);
                    if (received != next) co_return false;
                    const bool long_enough = next % 1000 == 999 && next + 1 < to;
                    if (long_enough) co_await ctx.continue_as_new(collect_all(next + 1, to));
                }
                co_return true;
            });
        here.start_all();
        const bool ordered = here.run([&]() -> asio::awaitable<bool> {
            auto started = co_await here.client().start(collect_all(std::int64_t{0}, count));
            std::int64_t delivered = 0;
            for (std::int64_t i = 0; i < count; ++i) // awaited together, in this order
                asio::co_spawn(
                    here.io(), started.signal(number, i), [&](std::exception_ptr failure) {
                        CHECK_FALSE(failure);
                        ++delivered;
                    });
            co_await wait_until([&] { return delivered == count; });
            const bool answer = co_await started.result();
            co_return answer;
        });
        CHECK(ordered);
    }
}

TEST_CASE("C: a signal sent in the commit in which its instance continues as new reaches the next "
          "run")
{
    static constexpr workflow<"relay", std::string(std::string)> relay;
    for (const setting how : every_setting) {
        CAPTURE(to_string(how));
        const installation on{how};
        int sent = 0;
        const auto send_from_elsewhere = [&on, &sent] { // in mid-run, just before the run ends
            const std::string letter(1, static_cast<char>('a' + sent++));
            std::thread{[&] {
                process elsewhere{on};
                elsewhere.run([&]() -> asio::awaitable<void> {
                    const auto target = elsewhere.client().get("relay");
                    co_await target.signal("word", encode(letter));
                });
            }}.join();
            return true;
        };
        process here{on};
        here.add_worker().implement(
            relay, [&send_from_elsewhere](context ctx, std::string so_far) -> task<std::string> {
                if (ctx.info().run > 1) so_far += co_await ctx.receive(word);
                if (so_far.size() == 3) co_return so_far;
                co_await ctx.side_effect(send_from_elsewhere);
                co_return co_await ctx.continue_as_new(relay(so_far));
            });
        here.start_all();
        CHECK(here.result_of(relay("").id("relay")) == "abc");
    }
}

TEST_CASE("C: a signal sent in the commit in which its instance finishes is delivered or refused")
{
    static constexpr workflow<"end", void()> end;
    for (const setting how : every_setting) {
        CAPTURE(to_string(how));
        const installation on{how};
        const pg::statement arrived_at{
            "select arrived from " + pg::quote_identifier(on.schema()) +
            ".instances where id = $1"};
        process here{on};
        here.add_worker().implement(end, [](context) -> task<void> { co_return; });
        here.start_all();
        for (int round = 0; round < 20; ++round) {
            CAPTURE(round);
            here.run([&]() -> asio::awaitable<void> {
                auto ends = co_await here.client().start(end().id(std::to_string(round)));
                bool delivered = true;
                try {
                    co_await ends.untyped_instance::signal("word", encode(std::string{"late"}));
                } catch (const error& refused) {
                    CHECK(refused.kind() == errc::not_found);
                    delivered = false;
                }
                co_await ends.result();
                // Delivered: it came before the end. Refused: its sender knows.
                pg::connection session =
                    co_await pg::connection::connect(pg::connection_options{test_dsn()});
                const pg::result arrived =
                    co_await session.execute(arrived_at, std::to_string(round));
                CHECK(arrived.get<std::int64_t>(0, 0) == (delivered ? 1 : 0));
            });
        }
    }
}

TEST_CASE("B9: signalling an instance that has finished, or never was, fails with not_found")
{
    for (const setting how : every_setting) {
        CAPTURE(to_string(how));
        const installation on{how};
        process here{on};
        worker& runs = here.add_worker();
        runs.implement(hear, run_hear);
        runs.implement(hold, [](activity_context) {});
        here.start_all();
        here.run([&]() -> asio::awaitable<void> {
            auto started = co_await here.client().start(hear().id("finished"));
            co_await started.signal(word, "bye");
            co_await started.result();
            for (const char* id : {"finished", "never-was"}) {
                CAPTURE(id);
                const auto handle = here.client().get(hear, id);
                std::string refusal;
                try {
                    co_await handle.signal(word, "late");
                } catch (const error& refused) {
                    CHECK(refused.kind() == errc::not_found);
                    refusal = refused.what();
                }
                CHECK(refusal.find(id) != std::string::npos);
            }
        });
    }
}
