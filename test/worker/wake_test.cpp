// What a worker does when others were quicker, or silent.
#include "acceptance/installation.hpp"
#include "proxy.hpp"

#include <perdure/pg/connection.hpp>
#include <perdure/pg/identifier.hpp>
#include <perdure/workflow/context.hpp>
#include <perdure/workflow/definitions.hpp>
#include <perdure/workflow/task.hpp>

#include <doctest/doctest.h>

#include <optional>
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

TEST_CASE(
    "a worker that finds what it has not heard of doubts that it hears, and polls if it does not")
{
    for (const bool hears : {true, false}) {
        CAPTURE(hears);
        const installation on;
        proxy network{test_dsn()};
        engine_options options = listening(on, 200ms);
        options.response_timeout(300ms);
        process worker{on, network.dsn(), options};
        employ(worker);
        worker.run(
            [&] { return wait_until([&] { return worker.logged("notifications arrive"); }); });
        if (!hears) network.mute();
        const std::size_t proofs = network.proofs();
        pg::connection_options direct{test_dsn()};
        const auto said = [&] { return worker.logged("a NOTIFY to the own session"); };
        worker.run([&]() -> asio::awaitable<void> {
            // Long due, and nobody was told: what the engine does is not announced by triggers.
            auto somebody = co_await pg::connection::connect(std::move(direct));
            co_await somebody.execute_script("set perdure.engine = on");
            // Again, if its poller happened to look just then.
            for (int i = 0; !said() && network.proofs() == proofs; ++i) {
                const std::string id = "word " + std::to_string(i);
                co_await somebody.execute_script(
                    "select " + pg::quote_identifier(on.schema()) + ".start('spell', id => '" + id +
                    "'); update " + pg::quote_identifier(on.schema()) +
                    ".workflow_tasks set visible_at = visible_at - interval '1 minute'");
                co_await wait_for_history(worker.client().get(spell, id), 2);
                co_await pause(100ms);
            }
        });
        if (hears)
            worker.run([] { return pause(600ms); }); // twice as long as it waits for itself
        else
            worker.run([&] { return wait_until(said); });
        CHECK(said() == !hears);
    }
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

TEST_CASE("a parked worker takes over when the lease of one that was killed ends")
{
    const installation on;
    process parked{on, test_dsn(), patient(on)};
    process killed{on, test_dsn(), patient(on)};
    int begun = 0;
    const auto hire = [&](process& where, std::chrono::milliseconds lease) {
        worker& runs = where.add_worker(on.workers().lease(lease));
        runs.implement(spell, run_spell);
        runs.implement(print, [&begun](activity_context) -> asio::awaitable<void> {
            if (++begun == 1) co_await pause(1h);
        });
        where.start_all();
        where.run([&] { return wait_until([&] { return where.logged("notifications arrive"); }); });
    };
    hire(killed, 1s);
    std::optional<instance<std::string>> word;
    killed.run([&]() -> asio::awaitable<void> {
        word = co_await killed.client().start(spell().id("word"));
    });
    hire(parked, 10min);
    parked.run([] { return pause(100ms); }); // it has looked, found nothing, and knows of no lease
    killed.run([&]() -> asio::awaitable<void> {
        co_await word->signal(letter, "o");
        co_await wait_until([&] { return begun == 1; });
    });
    // From here on the other process does not run. Whoever looks hears of the lease's end, and of
    // nothing else.
    parked.run([&]() -> asio::awaitable<void> {
        const auto same = parked.client().get(spell, "word");
        co_await wait_until([&] { return begun == 2; });
        co_await same.signal(letter, "k");
        const std::string spelt = co_await same.result();
        CHECK(spelt == "ok");
    });
}

TEST_CASE(
    "a cancellation reaches an activity that runs elsewhere long before its lease is extended")
{
    const installation on;
    process decides{on, test_dsn(), patient(on)};
    decides.add_worker().implement(spell, run_spell);
    decides.start_all();
    bool begun = false;
    bool told = false;
    process prints{on, test_dsn(), patient(on)};
    worker& runs = prints.add_worker(on.workers().lease(10min));
    runs.implement(print, [&](activity_context) -> asio::awaitable<void> {
        begun = true;
        try {
            co_await pause(1h);
        } catch (const boost::system::system_error&) {
            told = true;
        }
    });
    prints.start_all();
    // Two processes take turns.
    const auto until = [&](const bool& condition) {
        for (int i = 0; !condition && i < 3000; ++i) {
            decides.run([] { return pause(5ms); });
            prints.run([] { return pause(5ms); });
        }
        CHECK(condition);
    };
    std::optional<instance<std::string>> word;
    decides.run([&]() -> asio::awaitable<void> {
        word = co_await decides.client().start(spell());
        co_await word->signal(letter, "o");
    });
    until(begun);
    decides.run([&]() -> asio::awaitable<void> { co_await word->cancel(); });
    until(told);
}

TEST_CASE("processes that notify within their transactions are heard, and hear")
{
    const installation on;
    const auto within = patient(on).notifications(notification_mode::transactional);
    process worker{on, test_dsn(), within};
    employ(worker);
    worker.run([&] { return wait_until([&] { return worker.logged("notifications arrive"); }); });
    process client{on, test_dsn(), within};
    std::optional<instance<std::string>> word;
    client.run([&]() -> asio::awaitable<void> {
        word = co_await client.client().start(spell().id("word"));
        co_await word->signal(letter, "o");
        co_await word->signal(letter, "k");
    });
    std::string spelt;
    asio::co_spawn(client.io(), word->result(), [&](std::exception_ptr, std::string result) {
        spelt = std::move(result);
    });
    client.run([&] { return wait_until([&] { return client.logged("notifications arrive"); }); });
    worker.run([&]() -> asio::awaitable<void> {
        const auto same = worker.client().get(spell, "word");
        co_await same.result();
    });
    client.run([&] { return wait_until([&] { return spelt == "ok"; }); });
}

TEST_CASE("what a program started before it ended is heard of, however much that was")
{
    static constexpr workflow<"nothing", void()> nothing;
    constexpr int many = 100;
    const installation on;
    process worker{on, test_dsn(), patient(on)};
    int done = 0;
    auto& runs = worker.add_worker();
    runs.implement(nothing, [&done](context) -> task<void> {
        ++done;
        co_return;
    });
    worker.start_all();
    worker.run([&] { return wait_until([&] { return worker.logged("notifications arrive"); }); });
    {
        process program{on, test_dsn(), patient(on)};
        int started = 0;
        for (int i = 0; i < many; ++i)
            asio::co_spawn(
                program.io(), program.client().start(nothing()),
                [&](std::exception_ptr failure, const instance<void>&) { started += !failure; });
        program.run([&] { return wait_until([&] { return started == many; }); });
        program.io().restart();
        program.io().run(); // as a program does that ends when there is nothing left to do
    }
    worker.run([&] { return wait_until([&] { return done >= many; }); });
}
