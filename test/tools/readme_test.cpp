// The README shows code that is compiled.
#include <doctest/doctest.h>

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace {

std::vector<std::string> read_lines(const std::string& path)
{
    std::ifstream file{PERDURE_TEST_DIR "/../" + path};
    REQUIRE(file);
    std::vector<std::string> lines;
    for (std::string line; std::getline(file, line);) {
        const auto first = line.find_first_not_of(' ');
        lines.push_back(first == std::string::npos ? "" : line.substr(first));
    }
    return lines;
}

/// The first line that does not stand in the file behind the ones before it; empty when all do.
std::string first_missing(const std::vector<std::string>& block, const std::string& path)
{
    const std::vector<std::string> lines = read_lines(path);
    auto at = lines.begin();
    for (const std::string& wanted : block) {
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
    std::vector<std::vector<std::string>> blocks;
    bool inside = false;
    for (const std::string& line : read_lines("README.md")) {
        if (line == "```cpp") {
            blocks.emplace_back();
            inside = true;
        } else if (line == "```") {
            inside = false;
        } else if (inside) {
            blocks.back().push_back(line);
        }
    }
    REQUIRE(blocks.size() == 3);
    CHECK(first_missing(blocks[0], "examples/checkout/shop.hpp") == "");
    CHECK(first_missing(blocks[1], "examples/checkout/worker.cpp") == "");
    CHECK(first_missing(blocks[2], "examples/checkout/client.cpp") == "");
}
