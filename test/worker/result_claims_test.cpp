// Which results claim the workflow tasks that they wake.
#include <worker/result_claims.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <initializer_list>

using namespace perdure;
using namespace std::chrono_literals;

namespace {

constexpr store::claim_token stands_at{5};
constexpr store::member_id self{6};

struct fixture
{
    fixture()
    {
        for (std::int64_t each = 1; each <= 9; ++each)
            cache.put(store::instance_key{each}, stands_at, nullptr);
    }

    /// Results of these instances; which of them claim.
    std::vector<bool> add(std::initializer_list<std::int64_t> instances)
    {
        results.clear();
        for (const std::int64_t each : instances) {
            store::activity_completion& made = results.emplace_back();
            made.instance = store::instance_key{each};
            made.workflow_queue = "eu";
            made.holder = self;
        }
        return add();
    }

    std::vector<bool> add()
    {
        kept.push_back(claims.add(
            results, cache, [this](std::string_view queue) { return queue == "eu" ? room : 0; }));
        std::vector<bool> claimed;
        for (std::size_t i = 0; i < results.size(); ++i) {
            CHECK(results[i].eager.has_value() == static_cast<bool>(kept.back()[i]));
            claimed.push_back(results[i].eager.has_value());
        }
        return claimed;
    }

    std::shared_ptr<slots> all = std::make_shared<slots>(7);
    instance_cache cache{100};
    std::size_t room = 100;
    result_claims claims{all, 3s, self};
    std::vector<store::activity_completion> results;
    std::vector<std::vector<result_claims::slot>> kept;
};

using which = std::vector<bool>;

} // namespace

TEST_CASE_FIXTURE(fixture, "a result claims its workflow's task where the live coroutine is")
{
    CHECK(add({1, 10, 2}) == which{true, false, true});
    CHECK(results[0].eager->live == stands_at);
    CHECK(results[0].eager->lease == 3s);
    CHECK(results[0].eager->token != results[2].eager->token);
    CHECK(all->used() == 2);
    kept.clear();
    CHECK(all->used() == 0);
}

TEST_CASE_FIXTURE(fixture, "only results do, on queues that this worker looks at and has room for")
{
    results.resize(5);
    for (auto& each : results) each.instance = store::instance_key{1};
    for (auto& each : results) each.workflow_queue = "eu";
    for (auto& each : results) each.holder = self;
    results[0].outcome = store::activity_completion::outcome::retry;
    results[1].outcome = store::activity_completion::outcome::release;
    results[2].workflow_queue = "us";
    results[3].holder = store::member_id{7}; // somebody else has it
    results[4].outcome = store::activity_completion::outcome::failed;
    CHECK(add() == which{false, false, false, false, true});
    room = 0;
    CHECK(add({2}) == which{false});
}

TEST_CASE_FIXTURE(fixture, "of an instance one at a time does, until its result is stored")
{
    CHECK(add({1, 1, 2}) == which{true, false, true});
    CHECK(add({1, 2, 3}) == which{false, false, true});
    kept.front().front().reset();
    CHECK(add({1, 2}) == which{true, false});
    CHECK(all->used() == 3);
}

TEST_CASE_FIXTURE(fixture, "those that wait take half of the slots at most")
{
    const slots::slot busy = all->take();
    CHECK(add({1, 2, 3, 4, 5}) == which{true, true, true, false, false});
    CHECK(add({6}) == which{false});
    kept.clear();
    CHECK(add({6}) == which{true});
}

TEST_CASE("who has one slot keeps it for a look")
{
    result_claims claims{std::make_shared<slots>(1), 3s, self};
    instance_cache cache{1};
    cache.put(store::instance_key{1}, stands_at, nullptr);
    std::vector<store::activity_completion> results(1);
    results[0].instance = store::instance_key{1};
    results[0].holder = self;
    claims.add(results, cache, [](std::string_view) { return 1; });
    CHECK_FALSE(results[0].eager);
}
