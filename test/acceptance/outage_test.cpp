// End to end: whatever becomes of the connections, work goes on by itself, nothing is lost or done
// twice, and the log tells why it stood still.
#include "acceptance/installation.hpp"
#include "proxy.hpp"

#include <perdure/dev/server.hpp>
#include <perdure/workflow/context.hpp>
#include <perdure/workflow/definitions.hpp>
#include <perdure/workflow/task.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace asio = boost::asio;
using namespace perdure;
using namespace perdure::test;
using namespace std::chrono_literals;

namespace {

constexpr workflow<"journey", int()> journey;
constexpr activity<"step", int(int)> step;
constexpr int steps = 4;

task<int> run_journey(context ctx)
{
    int sum = 0;
    for (int i = 1; i <= steps; ++i) sum += co_await ctx.run(step(i));
    co_await ctx.sleep(5ms);
    co_return sum;
}

/// Journeys that are under way while something happens to their process's connections.
class travellers
{
public:
    static constexpr int count = 20;

    travellers(process& in, const worker_options& options) : process_{in}
    {
        // A claim whose answer is lost is nobody's until its lease has ended.
        worker& runs = in.add_worker(options);
        runs.implement(journey, run_journey);
        runs.implement(step, [this](activity_context, int value) -> asio::awaitable<int> {
            ++begun_;
            co_await pause(20ms);
            co_return value;
        });
        in.start_all();
        in.run([this] { return start(); });
    }

    /// Steps begun so far, repeated ones too.
    int begun() const { return begun_; }

    /// Waits for all of them, and looks whether each took every step once.
    void arrive()
    {
        const auto all = [this]() -> asio::awaitable<void> {
            for (int i = 0; i < count; ++i)
                for (bool looked = false; !looked;) looked = co_await look(std::to_string(i));
        };
        perdure::test::run(process_.io(), all(), 2min); // each silent connection takes its time
    }

private:
    asio::awaitable<void> start()
    {
        for (int i = 0; i < count; ++i)
            co_await process_.client().start(journey().id(std::to_string(i)));
        co_await wait_until([this] { return begun_ >= count; });
    }

    /// Whether the database let it look: what a client asks for fails during an outage.
    asio::awaitable<bool> look(std::string id)
    {
        const auto instance = process_.client().get(journey, std::move(id));
        try {
            const int sum = co_await instance.result();
            CHECK(sum == 10);
            const auto history = co_await instance.history();
            check_once(history);
            const auto state = co_await instance.state();
            CHECK(state.pending_events == 0);
        } catch (const pg::error&) {
            co_return false;
        }
        co_return true;
    }

    static void check_once(const std::vector<event>& history)
    {
        std::map<std::int32_t, int> completed;
        for (const event& each : history)
            if (each.type == event_type::activity_completed) ++completed[each.operation];
        CHECK(completed.size() == steps);
        for (const auto& [operation, times] : completed) CHECK(times == 1);
        CHECK(history.back().type == event_type::workflow_completed);
    }

    process& process_;
    int begun_ = 0;
};

asio::awaitable<void> terminate_all(std::string application)
{
    pg::connection session = co_await pg::connection::connect(pg::connection_options{test_dsn()});
    const pg::statement terminate{"select count(pg_terminate_backend(pid)) from pg_stat_activity "
                                  "where application_name = $1"};
    co_await session.execute(terminate, application);
}

/// Whether whoever reads no more than warnings knows that notifications arrive again.
bool told_of_notifications(const process& here)
{
    return std::ranges::any_of(here.log(), [](const log_line& line) {
        return line.level == log_level::warning && line.text == "notifications arrive";
    });
}

} // namespace

TEST_CASE("sessions that the server ends are replaced, and the log has its words")
{
    for (const setting how : every_setting) {
        CAPTURE(to_string(how));
        const installation on{how};
        process here{on, test_dsn() + " application_name=" + on.schema()};
        travellers all{here, on.workers().lease(1s)};
        here.run([&]() -> asio::awaitable<void> {
            for (int i = 0; i < 5; ++i) {
                co_await terminate_all(on.schema());
                co_await pause(20ms);
            }
        });
        all.arrive();
        CHECK(here.logged("terminating connection due to administrator command"));
    }
}

TEST_CASE("a server that is stopped and started again is worked with again")
{
    for (const setting how : every_setting) {
        for (const dev::stop_mode mode : {dev::stop_mode::fast, dev::stop_mode::immediate}) {
            CAPTURE(to_string(how));
            CAPTURE(static_cast<int>(mode));
            dev::server own{dev::server_options{}.setting("fsync", "off")}; // nothing needs a disk
            const installation on{how, own.dsn()};
            process here{on, own.dsn()};
            travellers all{here, on.workers().lease(1s)};
            own.stop(mode);
            here.run([] { return pause(300ms); });
            own.start();
            all.arrive();
            CHECK(here.logged("the database answers again"));
            if (how == setting::polling) continue;
            here.run([&] { return wait_until([&] { return told_of_notifications(here); }); });
        }
    }
}

TEST_CASE("a port that refuses for ten seconds is connected to again")
{
    for (const setting how : every_setting) {
        CAPTURE(to_string(how));
        const installation on{how};
        proxy network{test_dsn()};
        process here{on, network.dsn()};
        travellers all{here, on.workers().lease(1s)};
        network.refuse();
        here.run([how] { return pause(how == setting::cached ? 10s : 1s); });
        network.accept_again();
        all.arrive();
        CHECK(here.logged("refused"));
        CHECK(here.logged("the database answers again"));
    }
}

TEST_CASE("connections that go silent are given up, and others take their place")
{
    for (const setting how : every_setting) {
        CAPTURE(to_string(how));
        const installation on{how};
        proxy network{test_dsn()};
        process here{on, network.dsn(), on.options().response_timeout(1s).pool_size(3)};
        travellers all{here, on.workers().lease(1s)};
        network.silence();
        all.arrive();
        CHECK(here.logged("silent"));
    }
}

TEST_CASE("a transaction that the network has swallowed half of does not keep its instance")
{
    for (const setting how : every_setting) {
        CAPTURE(to_string(how));
        const installation on{how};
        proxy network{test_dsn()};
        process here{on, network.dsn(), on.options().response_timeout(1s)};
        travellers all{here, on.workers()}; // no lease is extended just then
        network.arm(fault::silence_before_commit);
        here.run([&] { return wait_until([&] { return network.fired(); }); });
        all.arrive();
        // It may have been one that nobody had to wait for.
        here.run([&] { return wait_until([&] { return here.logged("silent"); }); });
    }
}

TEST_CASE("C: a connection cut between a commit and its answer: the outcome is found out, not "
          "guessed")
{
    for (const setting how : every_setting) {
        for (const fault where : {fault::before_commit, fault::before_commit_answer}) {
            CAPTURE(to_string(how));
            CAPTURE(static_cast<int>(where));
            const installation on{how};
            proxy network{test_dsn()};
            process here{on, network.dsn()};
            travellers all{here, on.workers().lease(1s)};
            const int before = all.begun();
            for (int i = 0; i < 5; ++i) {
                network.arm(where);
                here.run([] { return pause(20ms); });
            }
            all.arrive();
            CHECK(network.fired());
            // What was done before a commit is not done again because its answer was lost.
            if (where == fault::before_commit_answer)
                CHECK(all.begun() - before <= travellers::count * steps);
        }
    }
}
