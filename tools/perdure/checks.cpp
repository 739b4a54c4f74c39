#include "checks.hpp"

#include "text.hpp"

#include <algorithm>
#include <charconv>
#include <system_error>
#include <utility>

namespace perdure::tool {

namespace {

std::string refusal(const std::string& expected, const std::string& found)
{
    return "expected " + expected + ", found \"" + one_line(found, 100) + '"';
}

} // namespace

CLI::Validator number_from(std::int32_t first, std::int32_t last)
{
    return CLI::Validator{
        [first, last](const std::string& text) {
            std::int32_t number = 0;
            const char* const end = text.data() + text.size();
            const auto [rest, problem] = std::from_chars(text.data(), end, number);
            if (problem == std::errc{} && rest == end && number >= first && number <= last)
                return std::string{};
            std::string expected = "a number from " + std::to_string(first);
            const bool too_large =
                problem == std::errc::result_out_of_range && !text.starts_with('-');
            if (too_large || last != std::numeric_limits<std::int32_t>::max())
                expected += " to " + std::to_string(last);
            return refusal(expected, text);
        },
        ""};
}

CLI::Validator one_of(std::vector<std::string> words)
{
    std::string all;
    for (const std::string& each : words) all += (all.empty() ? "" : ", ") + each;
    return CLI::Validator{
        [words = std::move(words), all](const std::string& text) {
            return std::ranges::find(words, text) != words.end() ? std::string{}
                                                                 : refusal("one of " + all, text);
        },
        ""};
}

CLI::Validator not_empty()
{
    return CLI::Validator{
        [](const std::string& text) {
            return text.empty() ? refusal("a name", text) : std::string{};
        },
        ""};
}

} // namespace perdure::tool
