// The random numbers of workflows. Their values are durable: they are replayed for as long as there
// are instances, by every compiler.
#include "expect.hpp"
#include "outcome.hpp"

#include <cmath>
#include <limits>
#include <map>
#include <set>
#include <span>

using namespace perdure;

namespace {

using int64_limits = std::numeric_limits<std::int64_t>;

/// Runs the code in an instance of this id.
template <class F>
void with_context(F code, std::string id = "order-1")
{
    const auto implementation = implement(shop::text, [code](context ctx) -> task<std::string> {
        code(ctx);
        co_return "";
    });
    instance once(implementation, shop::text(), std::move(id));
    const decision only = once.activate();
    CHECK(result_of(only) == "");
    CHECK(only.events.size() == 2); // nothing is recorded
}

} // namespace

// The numbers were computed by another program, from the description in context.hpp.
TEST_CASE("random numbers are those that this instance, run and start have had from the beginning")
{
    with_context([](context ctx) {
        const std::uint64_t drawn[] = {ctx.random(), ctx.random(), ctx.random()};
        CHECK(drawn[0] == 3'752'543'215'809'660'397u);
        CHECK(drawn[1] == 15'018'555'605'975'472'882u);
        CHECK(drawn[2] == 2'870'451'993'252'340'168u);
        CHECK(ctx.uniform(1, 6) == 3);
        CHECK(ctx.uniform(-100, 100) == -32);
        CHECK(ctx.uniform(int64_limits::min(), int64_limits::max()) == 4'881'490'768'692'871'946);
        CHECK(ctx.uniform(std::uint64_t{0}, ~std::uint64_t{0}) == 12'664'339'144'065'036'776u);
        CHECK(ctx.uniform(0.0, 1.0) == 0.30138082380997566);
        CHECK(ctx.uniform(-1e300, 1e300) == 8.238595301473062e+299);
        std::vector<int> cards{1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
        ctx.shuffle(cards);
        CHECK(cards == std::vector<int>{6, 9, 10, 5, 8, 7, 2, 1, 3, 4});
    });
}

TEST_CASE("instances draw different numbers, and drawing UUIDs changes none")
{
    std::set<std::uint64_t> all;
    for (const char* id : {"order-1", "order-2"}) {
        with_context(
            [&all](context ctx) {
                all.insert(ctx.random());
                (void)ctx.uuid();
                all.insert(ctx.random());
            },
            id);
    }
    CHECK(all.size() == 4);
    with_context([&all](context ctx) {
        CHECK(all.count(ctx.random()) == 1);
        CHECK(all.count(ctx.random()) == 1);
    });
}

TEST_CASE("uniform integers stay within their bounds, reach both, and are as likely as each other")
{
    with_context([](context ctx) {
        std::map<int, int> counts;
        for (int i = 0; i != 70'000; ++i) ++counts[ctx.uniform(-3, 3)];
        CHECK(counts.size() == 7);
        CHECK(counts.begin()->first == -3);
        CHECK(counts.rbegin()->first == 3);
        for (const auto& [value, count] : counts) CHECK(std::abs(count - 10'000) < 500);
        CHECK(ctx.uniform(int64_limits::min(), int64_limits::min()) == int64_limits::min());
        CHECK(ctx.uniform(int64_limits::max(), int64_limits::max()) == int64_limits::max());
        const std::int64_t edge = ctx.uniform(int64_limits::max() - 1, int64_limits::max());
        CHECK(edge >= int64_limits::max() - 1);
        const std::uint8_t byte = ctx.uniform(std::uint8_t{250}, std::uint8_t{255});
        CHECK(byte >= 250);
        int heads = 0;
        for (int i = 0; i != 1'000; ++i) heads += ctx.uniform(false, true) ? 1 : 0;
        CHECK(std::abs(heads - 500) < 100);
    });
}

TEST_CASE("uniform floating-point numbers are at least the lower bound and less than the upper")
{
    with_context([](context ctx) {
        double sum = 0;
        for (int i = 0; i != 10'000; ++i) {
            const double drawn = ctx.uniform(-2.0, 3.0);
            CHECK((drawn >= -2.0 && drawn < 3.0));
            sum += drawn;
        }
        CHECK(std::abs(sum / 10'000 - 0.5) < 0.1);
        const double next = std::nextafter(1.0, 2.0);
        for (int i = 0; i != 100; ++i) CHECK(ctx.uniform(1.0, next) == 1.0);
        CHECK(ctx.uniform(4.0, 4.0) == 4.0);
    });
}

TEST_CASE("bounds in the wrong order, or without a finite distance, are refused")
{
    with_context([](context ctx) {
        const double infinity = std::numeric_limits<double>::infinity();
        const double most = std::numeric_limits<double>::max();
        CHECK(refusal(errc::invalid_argument, [&] {
                  (void)ctx.uniform(3, 1);
              }) == "ctx.uniform cannot draw between the bounds 3 and 1");
        for (const auto& [low, high] :
             {std::pair(3.0, 1.0), std::pair(0.0, infinity), std::pair(-most, most),
              std::pair(0.0, std::nan(""))}) {
            refusal(errc::invalid_argument, [&, a = low, b = high] { (void)ctx.uniform(a, b); });
        }
    });
}

TEST_CASE("shuffle brings every order about, and takes any random-access range")
{
    with_context([](context ctx) {
        std::map<std::string, int> orders;
        for (int i = 0; i != 6'000; ++i) {
            std::string word = "abc";
            ctx.shuffle(word);
            ++orders[word];
        }
        CHECK(orders.size() == 6);
        for (const auto& [order, count] : orders) CHECK(std::abs(count - 1'000) < 150);
        int numbers[] = {1, 2, 3};
        ctx.shuffle(numbers);
        ctx.shuffle(std::span<int>(numbers));
        CHECK(numbers[0] + numbers[1] + numbers[2] == 6);
        std::vector<std::unique_ptr<int>> none;
        ctx.shuffle(none);
        CHECK(none.empty());
    });
}
