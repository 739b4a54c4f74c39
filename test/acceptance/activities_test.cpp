// End to end: what a user of activities relies on, in each of the three settings.
#include "acceptance/installation.hpp"

#include <perdure/workflow/context.hpp>
#include <perdure/workflow/definitions.hpp>
#include <perdure/workflow/task.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace asio = boost::asio;
using namespace perdure;
using namespace perdure::test;
using namespace std::chrono_literals;

namespace {

constexpr workflow<"try-it", std::string()> try_it;
constexpr activity<"risky", std::string(std::string)> risky;

struct shortage
{
    std::string article;
    std::int64_t missing = 0;
};
BOOST_DESCRIBE_STRUCT(shortage, (), (article, missing))

task<std::string> run_try_it(context ctx)
{
    auto tried = co_await ctx.run(risky("input").attempts(1)).as_result();
    if (tried) co_return tried.value();
    co_return tried.failure().info().cause->type + ": " + tried.failure().info().cause->message;
}

} // namespace

TEST_CASE(
    "B6: an unregistered activity is a problem that names it, and a worker that has it goes on")
{
    for (const setting how : every_setting) {
        CAPTURE(to_string(how));
        static constexpr activity<"unrelated", void()> unrelated;
        const installation on{how};
        process here{on};
        worker& lacks = here.add_worker();
        lacks.implement(try_it, run_try_it);
        lacks.implement(unrelated, [](activity_context) {});
        here.start_all();
        here.run([&]() -> asio::awaitable<void> {
            auto started = co_await here.client().start(try_it().id("unknown-activity"));
            const store::instance_state state = co_await state_with_problem(started);
            CHECK(state.problem.find("\"risky\"") != std::string::npos);
            CHECK(state.status == store::instance_status::running);
        });
        CHECK(here.logged("\"risky\""));

        here.stop();

        process other{on};
        worker& has = other.add_worker();
        has.implement(try_it, run_try_it);
        has.implement(risky, [](activity_context ctx, const std::string& input) {
            return input + " at attempt " + std::to_string(ctx.attempt());
        });
        other.start_all();
        const std::string result = other.run([&]() -> asio::awaitable<std::string> {
            std::string answer = co_await other.client().get(try_it, "unknown-activity").result();
            co_return answer;
        });
        CHECK(result == "input at attempt 1"); // the hand-backs did not count
    }
}

TEST_CASE("B7: wrong arguments to an activity are an error that says expected and actual")
{
    for (const setting how : every_setting) {
        CAPTURE(to_string(how));
        static constexpr activity<"risky", std::string(int, int)> risky_with_integers;
        const installation on{how};
        process here{on};
        worker& runs = here.add_worker();
        runs.implement(try_it, run_try_it);
        runs.implement(
            risky_with_integers, [](activity_context, int, int) { return std::string{}; });
        here.start_all();
        const std::string result = here.result_of(try_it());
        CAPTURE(result);
        CHECK(result.find("risky") != std::string::npos);
        CHECK(result.find("expected") != std::string::npos);
        CHECK(result.find("2") != std::string::npos);
    }
}

TEST_CASE("B22: an activity's exception is an error with its type and message")
{
    const auto plain = [](activity_context, const std::string&) -> std::string {
        throw std::out_of_range{"no such parcel"};
    };
    const auto coroutine = [](activity_context, std::string) -> asio::awaitable<std::string> {
        throw std::out_of_range{"no such parcel"};
        co_return "";
    };
    for (const setting how : every_setting) {
        for (const bool is_coroutine : {false, true}) {
            CAPTURE(to_string(how));
            CAPTURE(is_coroutine);
            const installation on{how};
            process here{on};
            worker& runs = here.add_worker();
            runs.implement(try_it, run_try_it);
            if (is_coroutine)
                runs.implement(risky, coroutine);
            else
                runs.implement(risky, plain);
            here.start_all();
            const std::string result = here.result_of(try_it());
            CHECK(result == "std::out_of_range: no such parcel");
        }
    }
}

TEST_CASE("B23: a user's error type keeps its name and fields")
{
    static constexpr failure<"out-of-stock", shortage> out_of_stock;
    const auto plain = [](activity_context, const std::string& article) -> std::string {
        throw out_of_stock(shortage{article, 3});
    };
    const auto coroutine = [](activity_context,
                              std::string article) -> asio::awaitable<std::string> {
        throw out_of_stock(shortage{article, 3});
        co_return "";
    };
    static constexpr workflow<"order", std::string()> order;
    for (const setting how : every_setting) {
        for (const bool is_coroutine : {false, true}) {
            CAPTURE(to_string(how));
            CAPTURE(is_coroutine);
            const installation on{how};
            process here{on};
            worker& runs = here.add_worker();
            runs.implement(order, [](context ctx) -> task<std::string> {
                std::string got = co_await ctx.run(risky("unicorn"));
                co_return got;
            });
            runs.implement(try_it, [](context ctx) -> task<std::string> {
                const auto tried = co_await ctx.run(risky("unicorn")).as_result();
                const auto lacks = tried.failed_as(out_of_stock);
                if (!lacks) co_return "";
                co_return lacks->article + " " + std::to_string(lacks->missing);
            });
            if (is_coroutine)
                runs.implement(risky, coroutine);
            else
                runs.implement(risky, plain);
            here.start_all();
            CHECK(here.result_of(try_it()) == "unicorn 3"); // in the workflow
            bool failed = false;
            try {
                here.result_of(order()); // through the workflow, at the client
            } catch (const workflow_failed& failure) {
                failed = true;
                const auto lacks = failure.failed_as(out_of_stock);
                REQUIRE(lacks);
                CHECK(lacks->article == "unicorn");
                CHECK(lacks->missing == 3);
            }
            CHECK(failed);
        }
    }
}

TEST_CASE("B25: extending the lease often during a run harms nothing")
{
    for (const setting how : every_setting) {
        CAPTURE(to_string(how));
        const installation on{how};
        std::vector<int> attempts;
        process here{on};
        worker& runs = here.add_worker(on.workers().lease(150ms)); // extended every 45 ms
        runs.implement(try_it, run_try_it);
        runs.implement(
            risky, [&](activity_context ctx, std::string) -> asio::awaitable<std::string> {
                attempts.push_back(ctx.attempt());
                co_await pause(1500ms);
                co_return "done";
            });
        here.start_all();
        here.run([&]() -> asio::awaitable<void> {
            auto started = co_await here.client().start(try_it());
            const std::string answer = co_await started.result();
            CHECK(answer == "done");
            const auto history = co_await started.history();
            CHECK(history.size() == 6); // started, task, scheduled, completed, task, completed
        });
        CHECK(attempts == std::vector<int>{1});
    }
}

TEST_CASE("B24: the attempt number counts up over retries, and the key stays the same")
{
    for (const setting how : every_setting) {
        CAPTURE(to_string(how));
        static constexpr workflow<"insist", std::string()> insist;
        std::vector<std::string> keys;
        std::vector<int> attempts;
        const installation on{how};
        process here{on};
        worker& runs = here.add_worker();
        runs.implement(insist, [](context ctx) -> task<std::string> {
            auto call = risky("input").attempts(5).backoff(1ms);
            std::string result = co_await ctx.run(std::move(call));
            co_return result;
        });
        runs.implement(
            risky, [&](activity_context ctx, std::string) -> asio::awaitable<std::string> {
                keys.push_back(ctx.idempotency_key());
                attempts.push_back(ctx.attempt());
                if (ctx.attempt() < 3) throw std::runtime_error{"not yet"};
                co_return "third time lucky";
            });
        here.start_all();
        const std::string result = here.result_of(insist());
        CHECK(result == "third time lucky");
        CHECK(attempts == std::vector<int>{1, 2, 3});
        REQUIRE(keys.size() == 3);
        CHECK(keys[0] == keys[1]);
        CHECK(keys[0] == keys[2]);
    }
}
