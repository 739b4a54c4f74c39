// What a worker does when others were quicker, or silent.
#include "acceptance/installation.hpp"

#include <perdure/workflow/context.hpp>
#include <perdure/workflow/definitions.hpp>
#include <perdure/workflow/task.hpp>

#include <doctest/doctest.h>

#include <string>

namespace asio = boost::asio;
using namespace perdure;
using namespace perdure::test;
using namespace std::chrono_literals;

namespace {

constexpr workflow<"spell", std::string()> spell;
constexpr activity<"print", void()> print;
constexpr signal<"letter", std::string> letter;

/// Two letters.
task<std::string> run_spell(context ctx)
{
    std::string word = co_await ctx.receive(letter);
    co_await ctx.run(print());
    word += co_await ctx.receive(letter);
    co_return word;
}

void employ(process& where)
{
    worker& runs = where.add_worker();
    runs.implement(spell, run_spell);
    runs.implement(print, [](activity_context) -> asio::awaitable<void> { co_return; });
    where.start_all();
}

/// Notifications are heard, and nothing else wakes before the safety poll.
engine_options listening(const installation& on, std::chrono::milliseconds safety_poll)
{
    engine_options options = patient(on);
    options.safety_poll(safety_poll);
    return options;
}

engine_options silent(const installation& on)
{
    engine_options options = on.options();
    options.notifications(notification_mode::none);
    return options;
}

} // namespace

TEST_CASE("an instance that another worker took further is replayed, not continued from the cache")
{
    const installation on;
    process first{on};
    employ(first);
    first.run([&]() -> asio::awaitable<void> {
        auto started = co_await first.client().start(spell().id("word"));
        co_await wait_for_history(started, 2); // it is parked here, and kept
    });
    // The first process stands still while the second takes the instance a step further.
    process second{on};
    employ(second);
    second.run([&]() -> asio::awaitable<void> {
        const auto word = second.client().get(spell, "word");
        co_await word.signal(letter, "o");
        co_await wait_for_history(word, 7);
    });
    second.stop();

    first.run([&]() -> asio::awaitable<void> {
        const auto word = first.client().get(spell, "word");
        co_await word.signal(letter, "k");
        const std::string spelt = co_await word.result();
        CHECK(spelt == "ok");
        const auto history = co_await word.history();
        CHECK(history.size() == 10); // three tasks, and the one that ends it
    });
    for (const log_line& line : first.log()) CHECK(line.level < log_level::warning);
}

TEST_CASE("a task whose notification was lost is found by the safety poll")
{
    const installation on;
    process worker{on, test_dsn(), listening(on, 200ms)};
    employ(worker);
    worker.run([&] { return wait_until([&] { return worker.logged("notifications arrive"); }); });
    process quiet{on, test_dsn(), silent(on)}; // what it commits, it does not tell
    quiet.run([&]() -> asio::awaitable<void> {
        auto started = co_await quiet.client().start(spell().id("word"));
        co_await started.signal(letter, "o");
        co_await started.signal(letter, "k");
    });
    worker.run([&]() -> asio::awaitable<void> {
        const std::string spelt = co_await worker.client().get(spell, "word").result();
        CHECK(spelt == "ok");
    });
}

TEST_CASE("an end whose notification was lost is found by the safety poll of who awaits the result")
{
    const installation on;
    process waits{on, test_dsn(), listening(on, 200ms)};
    std::string spelt;
    auto started = waits.run([&]() -> asio::awaitable<instance<std::string>> {
        auto made = co_await waits.client().start(spell().id("word"));
        co_return made;
    });
    asio::co_spawn(waits.io(), started.result(), [&](std::exception_ptr, std::string result) {
        spelt = std::move(result);
    });
    waits.run([&] { return wait_until([&] { return waits.logged("notifications arrive"); }); });
    process quiet{on, test_dsn(), silent(on)};
    employ(quiet);
    quiet.run([&]() -> asio::awaitable<void> {
        const auto word = quiet.client().get(spell, "word");
        co_await word.signal(letter, "o");
        co_await word.signal(letter, "k");
        co_await word.result();
    });
    waits.run([&] { return wait_until([&] { return spelt == "ok"; }); });
}
