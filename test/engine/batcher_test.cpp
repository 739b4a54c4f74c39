// Natural batching: who waits for whom.
#include <engine/batcher.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <doctest/doctest.h>

#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

using namespace perdure;
namespace asio = boost::asio;

namespace {

/// A sender that is stepped by the test: each batch waits until it is told to go on.
struct fixture
{
    using answers = store::answers<std::string>;

    struct sent
    {
        std::vector<int> items;
        answers hears;
        std::shared_ptr<one_shot<bool>> go_on;
    };

    std::shared_ptr<batcher<int, std::string>> made(std::size_t most = 100)
    {
        return std::make_shared<batcher<int, std::string>>(
            io.get_executor(), most, [this](std::vector<int> items, answers hears) {
                return send(std::move(items), std::move(hears));
            });
    }

    asio::awaitable<void> send(std::vector<int> items, answers hears)
    {
        auto go_on = std::make_shared<one_shot<bool>>(io.get_executor());
        batches.push_back({std::move(items), std::move(hears), go_on});
        co_await go_on->wait();
    }

    void submit(const std::shared_ptr<batcher<int, std::string>>& to, int item)
    {
        asio::co_spawn(
            io, to->submit(item), [this, item](std::exception_ptr failure, std::string answer) {
                if (failure) answer = "failed";
                answered[item] = std::move(answer);
            });
        io.restart();
        io.poll();
    }

    void end(std::size_t batch, std::exception_ptr failure = {})
    {
        if (failure)
            batches[batch].go_on->fail(failure);
        else
            batches[batch].go_on->set(true);
        io.restart();
        io.poll();
    }

    void answer(std::size_t batch, std::size_t item)
    {
        batches[batch].hears.answer(item, std::to_string(batches[batch].items[item]));
        io.restart();
        io.poll();
    }

    void hold_up(std::size_t batch)
    {
        batches[batch].hears.held_up();
        io.restart();
        io.poll();
    }

    asio::io_context io;
    std::vector<sent> batches;
    std::map<int, std::string> answered;
};

} // namespace

TEST_CASE("what becomes ready while a batch is under way goes out together in the next")
{
    fixture test;
    const auto items = test.made(3);
    for (int i = 0; i < 6; ++i) test.submit(items, i);
    REQUIRE(test.batches.size() == 1);
    CHECK(test.batches[0].items == std::vector{0});
    test.answer(0, 0);
    CHECK(test.answered.at(0) == "0");
    CHECK(test.batches.size() == 1); // it is answered, but not over
    test.end(0);
    REQUIRE(test.batches.size() == 2);
    CHECK(test.batches[1].items == std::vector{1, 2, 3}); // no more than three
}

TEST_CASE("an item is answered before its batch is over")
{
    fixture test;
    const auto items = test.made();
    for (int i = 0; i < 3; ++i) test.submit(items, i);
    test.answer(0, 0);
    test.end(0);
    test.answer(1, 1);
    CHECK(test.answered.contains(2));
    CHECK_FALSE(test.answered.contains(1));
}

TEST_CASE("a batch that is held up does not hold up the next")
{
    fixture test;
    const auto items = test.made();
    test.submit(items, 0);
    test.submit(items, 1);
    CHECK(test.batches.size() == 1);
    test.hold_up(0);
    REQUIRE(test.batches.size() == 2);
    test.submit(items, 2); // but the one behind it is a batch like any other
    CHECK(test.batches.size() == 2);
    test.hold_up(0); // said again
    CHECK(test.batches.size() == 2);
    test.answer(1, 0);
    test.end(1);
    REQUIRE(test.batches.size() == 3);
    test.answer(0, 0);
    test.end(0);
    CHECK(test.answered.at(0) == "0");
    CHECK(test.answered.at(1) == "1");
    CHECK_FALSE(test.answered.contains(2));
    test.submit(items, 3);
    CHECK(test.batches.size() == 3); // the third is still under way
}

TEST_CASE("what a batch throws reaches the items that were not answered")
{
    fixture test;
    const auto items = test.made();
    for (int i = 0; i < 3; ++i) test.submit(items, i);
    test.answer(0, 0);
    test.end(0);
    test.answer(1, 0);
    test.end(1, std::make_exception_ptr(std::runtime_error{"why"}));
    CHECK(test.answered.at(1) == "1");
    CHECK(test.answered.at(2) == "failed");
    test.submit(items, 3); // and the next goes out
    CHECK(test.batches.size() == 3);
}

TEST_CASE("a batch that ends without an answer to an item fails it")
{
    fixture test;
    const auto items = test.made();
    test.submit(items, 0);
    test.end(0);
    CHECK(test.answered.at(0) == "failed");
}

TEST_CASE("cancelling ends what is under way, held up or not, and what waits behind it")
{
    fixture test;
    const auto items = test.made();
    test.submit(items, 0);
    test.hold_up(0);
    test.submit(items, 1);
    test.submit(items, 2);
    CHECK(test.batches.size() == 2);
    items->cancel();
    test.io.restart();
    test.io.poll();
    for (int i = 0; i < 3; ++i) CHECK(test.answered.at(i) == "failed");
    CHECK(test.batches.size() == 2);
    test.submit(items, 3); // what comes later is sent again
    CHECK(test.batches.size() == 3);
}
