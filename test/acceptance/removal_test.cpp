// End to end: finished instances can be removed, active ones cannot.
#include "acceptance/installation.hpp"

#include <perdure/workflow/context.hpp>
#include <perdure/workflow/definitions.hpp>
#include <perdure/workflow/task.hpp>

#include <doctest/doctest.h>

#include <exception>
#include <optional>
#include <string>

namespace asio = boost::asio;
using namespace perdure;
using namespace perdure::test;
using namespace std::chrono_literals;

namespace {

constexpr workflow<"letter", std::string()> letter;
constexpr signal<"sent"> sent;

task<std::string> run_letter(context ctx)
{
    co_await ctx.receive(sent);
    co_return "delivered";
}

template <class Operation>
std::optional<errc> refusal(process& of, Operation operation)
{
    try {
        of.run([&]() -> asio::awaitable<void> { co_await operation(); });
    } catch (const error& refused) {
        CHECK(std::string{refused.what()}.find("letter-1") != std::string::npos);
        return refused.kind();
    }
    return std::nullopt;
}

void deliver_one(process& here)
{
    here.run([&]() -> asio::awaitable<void> {
        auto started = co_await here.client().start(letter().id("letter-1"));
        co_await started.signal(sent);
        co_await started.result();
    });
}

} // namespace

TEST_CASE("A4: removing an instance that is active fails with not_finished, and changes nothing")
{
    for (const setting how : every_setting) {
        CAPTURE(to_string(how));
        const installation on{how};
        process here{on};
        here.add_worker().implement(letter, run_letter);
        here.start_all();
        deliver_one(here);
        here.run([&]() -> asio::awaitable<void> {
            co_await here.client().start(letter().id("letter-1"));
        });
        CHECK(
            refusal(here, [&] { return here.client().remove("letter-1"); }) == errc::not_finished);
        here.run([&]() -> asio::awaitable<void> {
            const auto listed = co_await here.client().list();
            CHECK(listed.size() == 2);
        });
    }
}

TEST_CASE("A5: removing an instance that does not exist fails with not_found")
{
    const installation on;
    process here{on};
    CHECK(refusal(here, [&] { return here.client().remove("letter-1"); }) == errc::not_found);
}

TEST_CASE("B11: a removed instance's result is not_found")
{
    for (const setting how : every_setting) {
        CAPTURE(to_string(how));
        const installation on{how};
        process here{on};
        here.add_worker().implement(letter, run_letter);
        here.start_all();
        deliver_one(here);
        deliver_one(here); // two of one id
        const auto handle = here.client().get(letter, "letter-1");
        here.run([&]() -> asio::awaitable<void> {
            const std::string result = co_await handle.result();
            CHECK(result == "delivered");
            co_await here.client().remove("letter-1");
            const auto listed = co_await here.client().list();
            CHECK(listed.empty());
        });
        CHECK(refusal(here, [&] { return handle.result(); }) == errc::not_found);
        CHECK(refusal(here, [&] { return handle.state(); }) == errc::not_found);
        CHECK(refusal(here, [&] { return handle.history(); }) == errc::not_found);
        CHECK(refusal(here, [&] { return here.client().remove("letter-1"); }) == errc::not_found);
    }
}

TEST_CASE("who awaits the result of an instance that finishes and is removed is told, and not left "
          "waiting")
{
    for (const setting how : every_setting) {
        CAPTURE(to_string(how));
        const installation on{how};
        process waits{on, test_dsn(), patient(on)};
        process here{on};
        here.add_worker().implement(letter, run_letter);
        here.start_all();
        instance<std::string> started;
        std::exception_ptr ended;
        bool done = false;
        waits.run([&]() -> asio::awaitable<void> {
            started = co_await waits.client().start(letter().id("letter-1"));
        });
        asio::co_spawn(
            waits.io(), started.result_payload(), [&](std::exception_ptr failure, const payload&) {
                ended = failure;
                done = true;
            });
        waits.run([] { return pause(50ms); }); // it waits; then its process stands still
        here.run([&]() -> asio::awaitable<void> {
            const auto by_id = here.client().get(letter, "letter-1");
            co_await by_id.signal(sent);
            co_await by_id.result();
            co_await here.client().remove("letter-1");
        });
        here.stop(); // it has told others then
        waits.run([&] { return wait_until([&] { return done; }); });
        REQUIRE(ended);
        CHECK_THROWS_WITH_AS(
            std::rethrow_exception(ended), "no instance has the id \"letter-1\"", error);
    }
}
