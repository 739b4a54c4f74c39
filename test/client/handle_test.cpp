// Handles as values: empty ones, ones that a callback is given, and when their errors come.
#include "acceptance/installation.hpp"

#include <perdure/workflow/context.hpp>
#include <perdure/workflow/definitions.hpp>
#include <perdure/workflow/task.hpp>

#include <doctest/doctest.h>

#include <optional>
#include <string>
#include <vector>

namespace asio = boost::asio;
using namespace perdure;
using namespace perdure::test;
using namespace std::chrono_literals;

namespace {

constexpr workflow<"paint", std::string(std::string)> paint;
constexpr signal<"colour", std::string> colour;

task<std::string> run_paint(context ctx, std::string what)
{
    const std::string chosen = co_await ctx.receive(colour);
    co_return chosen + " " + what;
}

/// What an operation says when it is awaited; calling it must not throw.
template <class Operation>
std::optional<errc> refusal(process& of, Operation operation)
{
    std::optional<errc> said;
    of.run([&]() -> asio::awaitable<void> {
        auto awaited = operation();
        try {
            co_await std::move(awaited);
        } catch (const error& refused) {
            said = refused.kind();
        }
    });
    return said;
}

} // namespace

TEST_CASE("a start can be spawned with a handler that receives the handle")
{
    const installation on;
    process here{on};
    here.add_worker().implement(paint, run_paint);
    here.start_all();
    instance<std::string> started;
    bool done = false;
    asio::co_spawn(
        here.io(), here.client().start(paint("house").id("house")),
        [&](std::exception_ptr failure, instance<std::string> made) {
            CHECK_FALSE(failure);
            started = std::move(made);
            done = true;
        });
    here.run([&]() -> asio::awaitable<void> {
        co_await wait_until([&] { return done; });
        CHECK(started.id() == "house");
        co_await started.signal(colour, "red");
        const std::string painted = co_await started.result();
        CHECK(painted == "red house");
    });
}

TEST_CASE("operations of an empty handle fail with invalid_argument")
{
    const installation on;
    process here{on};
    const instance<std::string> empty;
    CHECK(empty.id().empty());
    CHECK_THROWS_WITH_AS(
        here.run([&]() -> asio::awaitable<void> { co_await empty.state(); }),
        doctest::Contains("an empty handle"), error);
    CHECK(refusal(here, [&] { return empty.result(); }) == errc::invalid_argument);
    CHECK(refusal(here, [&] { return empty.state(); }) == errc::invalid_argument);
    CHECK(refusal(here, [&] { return empty.history(); }) == errc::invalid_argument);
    CHECK(refusal(here, [&] { return empty.signal(colour, "red"); }) == errc::invalid_argument);
}

TEST_CASE("what is wrong with an operation's arguments is said when it is awaited")
{
    const installation on;
    process here{on};
    const auto nameless = here.client().get("");
    CHECK(refusal(here, [&] { return nameless.state(); }) == errc::invalid_argument);
    CHECK(refusal(here, [&] { return nameless.result_payload(); }) == errc::invalid_argument);
    CHECK(refusal(here, [&] { return nameless.history(); }) == errc::invalid_argument);
    const auto handle = here.client().get(paint, "nobody");
    const untyped_instance& untyped = handle;
    CHECK(refusal(here, [&] {
              return untyped.signal("no name", payload::from_text("1"));
          }) == errc::invalid_argument);
    CHECK(refusal(here, [&] {
              return untyped.signal("name", payload::from_text("{"));
          }) == errc::malformed_payload);
    CHECK(refusal(here, [&] {
              return handle.signal(colour, std::string{"\xff"});
          }) == errc::malformed_payload);
    CHECK(refusal(here, [&] {
              return handle.signal(colour, std::string(3'000'000, 'x'));
          }) == errc::payload_too_large);
}
