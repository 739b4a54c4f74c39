// The README shows code that is compiled.
#include "workflow/shop.hpp"

#include <perdure/perdure.hpp>
#include <perdure/workflow/history.hpp>
#include <perdure/workflow/replayer.hpp>

#include <doctest/doctest.h>

#include <fstream>
#include <iterator>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

namespace {

std::string read_text(const std::string& path)
{
    std::ifstream file{PERDURE_TEST_DIR "/../" + path};
    REQUIRE(file);
    return {std::istreambuf_iterator<char>{file}, {}};
}

/// The lines of a text without what they are indented by.
std::vector<std::string> lines_of(const std::string& text)
{
    std::istringstream stream{text};
    std::vector<std::string> lines;
    for (std::string line; std::getline(stream, line);) {
        const auto first = line.find_first_not_of(' ');
        lines.push_back(first == std::string::npos ? "" : line.substr(first));
    }
    return lines;
}

/// The blocks of C++ in the README, in their order.
std::vector<std::string> readme_blocks()
{
    const std::string text = read_text("README.md");
    const std::string begin = "```cpp\n";
    std::vector<std::string> blocks;
    for (auto at = text.find(begin); at != std::string::npos; at = text.find(begin, at)) {
        at += begin.size();
        blocks.push_back(text.substr(at, text.find("```", at) - at));
    }
    return blocks;
}

/// The first line that does not stand in the file behind the ones before it; empty when all do.
std::string first_missing(const std::string& block, const std::string& path)
{
    const std::vector<std::string> lines = lines_of(read_text(path));
    auto at = lines.begin();
    for (const std::string& wanted : lines_of(block)) {
        if (wanted.empty()) continue;
        while (at != lines.end() && *at != wanted) ++at;
        if (at == lines.end()) return wanted;
        ++at;
    }
    return {};
}

} // namespace

TEST_CASE("the README's example is the one that is compiled")
{
    const std::vector<std::string> blocks = readme_blocks();
    REQUIRE(blocks.size() == 3);
    CHECK(blocks[0] == read_text("examples/hello.cpp"));
    CHECK(first_missing(blocks[1], "examples/checkout/worker.cpp") == "");
    CHECK(first_missing(blocks[2], "test/tools/readme_test.cpp") == "");
}

TEST_CASE("the README's test of a workflow passes for the recorded code and fails for another")
{
    const auto replay = [](auto run_checkout) {
        const auto& checkout = shop::checkout;
        const std::string text = read_text("test/workflow/golden/run.json");
        auto code = std::make_shared<perdure::workflow_implementation>(
            perdure::implement(checkout, run_checkout));
        perdure::history_document recorded = perdure::decode_history(text); // of recorded.json
        perdure::instance_info run{recorded.id, "default", recorded.run};
        perdure::replayer{code, run}.replay(recorded.events); // throws errc::nondeterminism
    };
    const auto recorded = [](perdure::context ctx, shop::order o) -> perdure::task<shop::receipt> {
        const std::string payment = co_await ctx.run(shop::charge(o));
        co_await ctx.run(shop::ship(o));
        co_return shop::receipt{o.id, payment};
    };
    const auto changed = [](perdure::context ctx, shop::order o) -> perdure::task<shop::receipt> {
        co_await ctx.run(shop::ship(o));
        const std::string payment = co_await ctx.run(shop::charge(o));
        co_return shop::receipt{o.id, payment};
    };
    CHECK_NOTHROW(replay(recorded));
    CHECK_THROWS_WITH_AS(
        replay(changed), doctest::Contains("the code now emits: activity_scheduled #1 ship"),
        perdure::error);
}
