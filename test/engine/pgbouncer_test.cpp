// An engine whose connections lead through PgBouncer.
#include "acceptance/installation.hpp"
#include "pooling_proxy.hpp"

#include <perdure/workflow/context.hpp>
#include <perdure/workflow/definitions.hpp>
#include <perdure/workflow/task.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <string>

namespace asio = boost::asio;
using namespace perdure;
using namespace perdure::test;
using namespace std::chrono_literals;

namespace {

constexpr workflow<"twice", int(int)> twice;
constexpr activity<"add", int(int, int)> add;

task<int> run_twice(context ctx, int value)
{
    co_await ctx.sleep(1ms);
    co_return co_await ctx.run(add(value, value));
}

/// Adds a worker to a process and runs it.
void work(process& here)
{
    worker& runs = here.add_worker();
    runs.implement(twice, run_twice);
    runs.implement(
        add, [](activity_context, int a, int b) -> asio::awaitable<int> { co_return a + b; });
    here.start_all();
}

} // namespace

TEST_CASE("behind a proxy that pools transactions an engine listens on a direct connection")
{
    const pooling_proxy proxy;
    const installation on{setting::cached, test_server().dsn()};
    engine_options options = patient(on);
    options.listener_dsn(test_server().dsn()).prepared_statements(false);
    process here{on, proxy.dsn(), options};
    work(here);
    for (int i = 0; i < 20; ++i) CHECK(here.result_of(twice(i)) == 2 * i);
    for (const log_line& line : here.log())
        CHECK_MESSAGE(line.level < log_level::warning, line.text);
}

TEST_CASE("behind such a proxy alone an engine polls, and says once that it hears nothing")
{
    const pooling_proxy proxy;
    const installation on{setting::cached, test_server().dsn()};
    process here{on, proxy.dsn(), on.options().prepared_statements(false)};
    work(here);
    for (int i = 0; i < 5; ++i) CHECK(here.result_of(twice(i)) == 2 * i);
    here.run([&] { return wait_until([&] { return here.logged("transaction-pooling proxy"); }); });
    for (int i = 0; i < 5; ++i) CHECK(here.result_of(twice(i)) == 2 * i);
    CHECK(std::ranges::count_if(here.log(), [](const log_line& line) {
              return line.text.find("transaction-pooling proxy") != std::string::npos;
          }) == 1);
}
