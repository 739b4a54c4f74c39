// What a client sees of instances that workers of another process run.
#include "acceptance/installation.hpp"

#include <perdure/engine/rethrow.hpp>
#include <perdure/workflow/context.hpp>
#include <perdure/workflow/definitions.hpp>
#include <perdure/workflow/task.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace asio = boost::asio;
using namespace perdure;
using namespace perdure::test;
using namespace std::chrono_literals;

namespace {

struct shortage
{
    std::string article;
    std::int64_t missing = 0;
};
BOOST_DESCRIBE_STRUCT(shortage, (), (article, missing))

constexpr workflow<"pack", std::string(std::string)> pack;
constexpr failure<"out-of-stock", shortage> out_of_stock;

task<std::string> run_pack(context, std::string article)
{
    if (article == "unicorn") {
        const shortage nothing_left{"unicorn", 1};
        throw out_of_stock(nothing_left);
    }
    co_return article + ", packed";
}

/// A worker process on a thread of its own, so that it and the client's process run at the same
/// time.
class elsewhere
{
public:
    explicit elsewhere(const installation& on) : process_{on}
    {
        process_.add_worker().implement(pack, run_pack);
        thread_ = std::thread{[this] {
            process_.start_all();
            process_.run([this] { return wait_until([this] { return leave_.load(); }, 10min); });
            process_.stop();
        }};
    }

    ~elsewhere()
    {
        leave_ = true;
        thread_.join();
    }

private:
    process process_;
    std::atomic<bool> leave_ = false;
    std::thread thread_;
};

} // namespace

TEST_CASE("the result of an instance that another process runs is awaited through a notification")
{
    const installation on;
    const elsewhere workers{on};
    process here{on};
    const std::string result = here.run([&]() -> asio::awaitable<std::string> {
        auto started = co_await here.client().start(pack("chair"));
        std::string answer = co_await started.result();
        co_return answer;
    });
    CHECK(result == "chair, packed");
}

TEST_CASE("a result that is there already is given at once, to everyone who asks")
{
    const installation on;
    const elsewhere workers{on};
    process here{on};
    here.run([&]() -> asio::awaitable<void> {
        auto started = co_await here.client().start(pack("table").id("table"));
        co_await started.result();
        for (int i = 0; i < 3; ++i) {
            const auto again = here.client().get(pack, "table");
            const std::string result = co_await again.result();
            CHECK(result == "table, packed");
        }
    });
}

TEST_CASE("a failed instance's failure reaches the client with its name and fields")
{
    const installation on;
    const elsewhere workers{on};
    process here{on};
    here.run([&]() -> asio::awaitable<void> {
        auto started = co_await here.client().start(pack("unicorn").id("wish"));
        bool failed = false;
        try {
            co_await started.result();
        } catch (const workflow_failed& failure) {
            failed = true;
            CHECK(failure.is(out_of_stock));
            const auto fields = failure.failed_as(out_of_stock);
            REQUIRE(fields);
            CHECK(fields->article == "unicorn");
            CHECK(fields->missing == 1);
            CHECK(std::string{failure.what()}.find("wish") != std::string::npos);
        }
        CHECK(failed);
        const auto state = co_await started.state();
        CHECK(state.status == store::instance_status::failed);
        CHECK(state.finished_at);
    });
}

TEST_CASE(
    "starts that are under way at the same time share transactions and all get their own instance")
{
    const installation on;
    process here{on};
    std::set<std::string> ids;
    int running = 0;
    const auto start = [&]() -> asio::awaitable<void> {
        auto started = co_await here.client().start(pack("box"));
        ids.insert(started.id());
        --running;
    };
    here.run([&]() -> asio::awaitable<void> {
        for (int i = 0; i < 500; ++i) {
            ++running;
            asio::co_spawn(here.io(), start(), rethrow);
        }
        co_await wait_until([&] { return running == 0; });
    });
    CHECK(ids.size() == 500);
}

TEST_CASE("the list shows the latest instances first, in pages, by status")
{
    const installation on;
    process here{on};
    here.run([&]() -> asio::awaitable<void> {
        for (int i = 0; i < 5; ++i)
            co_await here.client().start(pack("shelf").id(std::to_string(i)));
        store::list_request request;
        request.limit = 2;
        request.status = store::instance_status::running;
        std::vector<std::string> ids;
        for (;;) {
            const auto page = co_await here.client().list(request);
            if (page.empty()) break;
            for (const auto& each : page) ids.push_back(each.id);
            request.before = page.back().instance;
        }
        CHECK(ids == std::vector<std::string>{"4", "3", "2", "1", "0"});
        request.before.reset();
        request.status = store::instance_status::completed;
        const auto completed = co_await here.client().list(request);
        CHECK(completed.empty());
    });
}

TEST_CASE("what never existed is refused with not_found")
{
    const installation on;
    process here{on};
    const auto nobody = here.client().get(pack, "nobody");
    const auto refused = [&](auto operation) {
        try {
            here.run([&]() -> asio::awaitable<void> { co_await operation(); });
        } catch (const error& refusal) {
            CHECK(std::string{refusal.what()}.find("nobody") != std::string::npos);
            return refusal.kind() == errc::not_found;
        }
        return false;
    };
    CHECK(refused([&] { return nobody.result(); }));
    CHECK(refused([&] { return nobody.state(); }));
    CHECK(refused([&] { return nobody.history(); }));
}

TEST_CASE("a cancelled wait for a result leaves the instance alone")
{
    const installation on;
    process here{on};
    here.run([&]() -> asio::awaitable<void> {
        auto started = co_await here.client().start(pack("lamp"));
        asio::cancellation_signal cancel;
        bool ended = false;
        std::exception_ptr failure;
        asio::co_spawn(
            here.io(), started.result_payload(),
            asio::bind_cancellation_slot(
                cancel.slot(), [&](std::exception_ptr caught, const payload&) {
                    failure = caught;
                    ended = true;
                }));
        co_await pause(20ms);
        cancel.emit(asio::cancellation_type::terminal);
        co_await wait_until([&] { return ended; });
        bool aborted = false;
        try {
            if (failure) std::rethrow_exception(failure);
        } catch (const boost::system::system_error& caught) {
            aborted = caught.code() == asio::error::operation_aborted;
        }
        CHECK(aborted);
        const auto state = co_await started.state();
        CHECK(state.status == store::instance_status::running);
    });
}

TEST_CASE("operations of a client and of a handle may begin after both have gone")
{
    const installation on;
    process here{on};
    here.add_worker().implement(pack, run_pack);
    here.start_all();
    std::optional<client> brief{std::in_place, here.engine()};
    auto starting = brief->start(pack("lamp").id("lamp"));
    auto result = brief->get(pack, "lamp").result();
    auto listing = brief->list();
    brief.reset();
    here.run([&]() -> asio::awaitable<void> {
        const auto started = co_await std::move(starting);
        CHECK(started.id() == "lamp");
        const std::string packed = co_await std::move(result);
        CHECK(packed == "lamp, packed");
        const auto listed = co_await std::move(listing);
        CHECK(listed.size() == 1);
    });
}
