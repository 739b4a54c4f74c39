#include <worker/instance_cache.hpp>

#include <perdure/workflow/definitions.hpp>
#include <perdure/workflow/implementation.hpp>

#include <doctest/doctest.h>

#include <memory>

using namespace perdure;

namespace {

constexpr workflow<"any", void()> any;

task<void> run_any(context)
{
    co_return;
}

std::unique_ptr<replayer> live()
{
    static const auto implementation =
        std::make_shared<const workflow_implementation>(implement(any, run_any));
    return std::make_unique<replayer>(implementation, instance_info{"id", "default", 1});
}

constexpr store::instance_key key(std::int64_t number)
{
    return store::instance_key{number};
}

constexpr store::claim_token token(std::int64_t number)
{
    return store::claim_token{number};
}

} // namespace

TEST_CASE("an instance is taken from the cache only at the commit it stands at")
{
    instance_cache cache{10};
    cache.put(key(1), token(7), live());
    SUBCASE("at that commit")
    {
        CHECK(cache.take(key(1), token(7)));
    }
    SUBCASE("at another commit it is evicted: equal length is not equal history")
    {
        CHECK_FALSE(cache.take(key(1), token(8)));
        CHECK_FALSE(cache.take(key(1), token(7)));
    }
    CHECK(cache.size() == 0); // whoever took it puts it back after its next commit
}

TEST_CASE("the least recently used instance is evicted beyond the capacity")
{
    instance_cache cache{2};
    cache.put(key(1), token(1), live());
    cache.put(key(2), token(2), live());
    auto again = cache.take(key(1), token(1));
    REQUIRE(again);
    cache.put(key(1), token(3), std::move(again));
    cache.put(key(3), token(4), live());
    CHECK(cache.size() == 2);
    CHECK_FALSE(cache.take(key(2), token(2)));
    CHECK(cache.take(key(1), token(3)));
    CHECK(cache.take(key(3), token(4)));
}

TEST_CASE("a cache without capacity keeps nothing")
{
    instance_cache cache{0};
    cache.put(key(1), token(1), live());
    CHECK(cache.size() == 0);
}
