#include "text.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>

namespace perdure::tool {

namespace {

bool continues_character(char byte) noexcept
{
    return (static_cast<unsigned char>(byte) & 0xC0) == 0x80;
}

} // namespace

std::string to_text(timestamp when)
{
    const auto day = std::chrono::floor<std::chrono::days>(when);
    const std::chrono::year_month_day date{day};
    const std::chrono::hh_mm_ss time{when - day};
    std::array<char, 64> text{};
    const int length = std::snprintf(
        text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02d.%06dZ",
        static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
        static_cast<unsigned>(date.day()), static_cast<int>(time.hours().count()),
        static_cast<int>(time.minutes().count()), static_cast<int>(time.seconds().count()),
        static_cast<int>(time.subseconds().count()));
    return {text.data(), static_cast<std::size_t>(length)};
}

std::string to_text(const payload& value, std::size_t limit)
{
    if (value.coded()) return "<" + std::to_string(value.size()) + " coded bytes>";
    return one_line(value.text(), limit);
}

std::string one_line(std::string_view text, std::size_t limit)
{
    std::size_t length = std::min(text.size(), limit);
    while (length < text.size() && length > 0 && continues_character(text[length])) --length;
    std::string line{text.substr(0, length)};
    const auto is_control = [](char c) {
        return static_cast<unsigned char>(c) < ' ' || c == '\x7f';
    };
    std::replace_if(line.begin(), line.end(), is_control, ' ');
    if (length < text.size()) line += "…";
    return line;
}

std::size_t columns(std::string_view text) noexcept
{
    return text.size() -
           static_cast<std::size_t>(std::count_if(text.begin(), text.end(), continues_character));
}

} // namespace perdure::tool
