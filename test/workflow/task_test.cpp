// Coroutines: nesting, depth, exceptions, what destruction does.
#include "instance.hpp"
#include "shop.hpp"

#include <stdexcept>

using namespace perdure;
using namespace std::chrono_literals;

namespace {

/// Counts its copies, to see destruction.
class tracker
{
public:
    explicit tracker(int& count) : count_(&count) { ++*count_; }
    tracker(const tracker& other) : count_(other.count_) { ++*count_; }
    tracker& operator=(const tracker&) = delete;
    ~tracker() { --*count_; }

private:
    int* count_;
};

task<int> add_one(context, int n)
{
    co_return n + 1;
}

task<int> nest(context ctx, int depth)
{
    if (depth == 0) co_return 0;
    const int below = co_await nest(ctx, depth - 1);
    co_return below + 1;
}

task<> fail(context ctx)
{
    co_await ctx.receive(shop::go);
    throw std::out_of_range("from below");
}

task<std::unique_ptr<int>> make_owner(context)
{
    co_return std::make_unique<int>(5);
}

std::string result_of(const decision& last)
{
    REQUIRE(last.finish);
    return last.finish->kind == finish::kind::completed
               ? decode<std::string>(last.finish->data)
               : describe(decode_failure(last.finish->data));
}

template <class F>
instance text_instance(F code)
{
    return instance(implement(shop::text, code), shop::text());
}

} // namespace

TEST_CASE("a hundred thousand awaited tasks need no stack")
{
    instance loop = text_instance([](context ctx) -> task<std::string> {
        int n = 0;
        for (int i = 0; i != 100'000; ++i) {
            n = co_await add_one(ctx, n);
        }
        co_return std::to_string(n);
    });
    CHECK(result_of(loop.activate()) == "100000");
}

TEST_CASE("a hundred thousand outcomes that are there already need no stack")
{
    instance loop = text_instance([](context ctx) -> task<std::string> {
        int n = 0;
        for (int i = 0; i != 100'000; ++i) {
            co_await ctx.sleep(0s);
            ++n;
        }
        co_return std::to_string(n);
    });
    CHECK(result_of(loop.activate()) == "100000");
}

TEST_CASE("tasks nest, and carry values that can only be moved")
{
    instance nested = text_instance([](context ctx) -> task<std::string> {
        const int depth = co_await nest(ctx, 1'000);
        const std::unique_ptr<int> owner = co_await make_owner(ctx);
        co_return std::to_string(depth + *owner);
    });
    CHECK(result_of(nested.activate()) == "1005");
}

TEST_CASE("an exception of a task is thrown where the task was awaited")
{
    instance catches = text_instance([](context ctx) -> task<std::string> {
        std::string said;
        try {
            co_await fail(ctx);
        } catch (const std::out_of_range& thrown) {
            said = thrown.what();
        }
        co_await ctx.receive(shop::go);
        co_return said;
    });
    catches.activate();
    catches.signal(shop::go());
    catches.activate();
    catches.signal(shop::go());
    CHECK(result_of(catches.activate()) == "from below");
    catches.check_replays();
}

TEST_CASE("destroying a replayer destroys all frames, whatever they wait for")
{
    int alive = 0;
    const auto helper = [&alive](context ctx) -> task<> {
        const tracker local(alive);
        co_await ctx.receive(shop::go).within(1h);
        co_await ctx.run(shop::refund("x")).as_result();
    };
    {
        instance evicted = text_instance([&](context ctx) -> task<std::string> {
            const tracker local(alive);
            auto unused = ctx.start(shop::refund("y"));
            co_await helper(ctx);
            co_return "";
        });
        CHECK(alive == 0);
        evicted.activate();
        CHECK(alive == 2);
        evicted.signal(shop::go());
        evicted.activate();
        CHECK(alive == 2);
    }
    CHECK(alive == 0);
}

TEST_CASE("destructors of locals find a context that ignores them when an instance is evicted")
{
    struct scheduler
    {
        context ctx;
        ~scheduler()
        {
            ctx.start(shop::refund("compensation"));
            (void)ctx.uuid();
            (void)ctx.now();
        }
    };
    instance evicted = text_instance([](context ctx) -> task<std::string> {
        const scheduler local{ctx};
        co_await ctx.receive(shop::go);
        co_return "";
    });
    evicted.activate();
    const std::size_t length = evicted.history().size();
    CHECK(length == 2);
}

TEST_CASE("eviction is no exception: nothing is caught")
{
    bool caught = false;
    {
        instance evicted = text_instance([&caught](context ctx) -> task<std::string> {
            try {
                co_await ctx.receive(shop::go);
            } catch (...) {
                caught = true;
            }
            co_return "";
        });
        evicted.activate();
    }
    CHECK(!caught);
}

TEST_CASE("the decoded arguments live as long as the coroutine, also where it takes them by const&")
{
    const shop::order order{"an id that is too long for the small string optimisation", 17};
    instance keeps(
        implement(
            shop::checkout,
            [](context ctx, const shop::order& o) -> task<shop::receipt> {
                co_await ctx.receive(shop::go);
                co_return shop::receipt{o.id, std::to_string(o.cents)};
            }),
        shop::checkout(order));
    keeps.activate();
    keeps.signal(shop::go());
    const decision last = keeps.activate();
    CHECK(decode<shop::receipt>(last.finish->data).order_id == order.id);
    CHECK(decode<shop::receipt>(last.finish->data).payment == "17");
}

TEST_CASE("every temporary beside a co_await is destroyed exactly once")
{
    int alive = 0;
    int least = 0;
    const auto watch = [&] { least = std::min(least, alive); };
    const auto consume = [](context ctx, tracker, tracker) -> task<int> {
        co_await ctx.receive(shop::go);
        co_return 1;
    };
    instance careful = text_instance([&](context ctx) -> task<std::string> {
        const tracker local(alive);
        const int one = co_await consume(ctx, tracker(alive), local);
        watch();
        const shop::order order{"A", 1};
        const std::string payment = co_await ctx.run(shop::charge(order).attempts(2).queue("eu"));
        watch();
        co_return payment + std::to_string(one);
    });
    careful.activate();
    careful.signal(shop::go());
    careful.activate();
    careful.complete(1, R"("payment ")");
    CHECK(result_of(careful.activate()) == "payment 1");
    CHECK(alive == 0);
    CHECK(least == 0);
}

TEST_CASE("a generic lambda implements a definition that it can be called for")
{
    instance generic(
        implement(
            shop::countdown,
            [](auto ctx, auto n) -> task<int> {
                co_await ctx.sleep(1s);
                co_return n;
            }),
        shop::countdown(3));
    generic.activate();
    CHECK(decode<int>(generic.activate_at_next_timer().finish->data) == 3);
}
