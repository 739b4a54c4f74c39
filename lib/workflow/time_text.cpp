#include "time_text.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>

namespace perdure::detail {

namespace {

using namespace std::chrono;

constexpr std::string_view form = "0000-00-00T00:00:00.000000Z";
constexpr timestamp least = sys_days(year(0) / January / 1);
constexpr timestamp most = timestamp(sys_days(year(10000) / January / 1)) - microseconds(1);

/// The number that the digits at this place stand for.
int number_at(std::string_view text, std::size_t place, std::size_t digits)
{
    int number = 0;
    std::from_chars(text.data() + place, text.data() + place + digits, number);
    return number;
}

} // namespace

std::string to_time_text(timestamp instant)
{
    const timestamp shown = std::clamp(instant, least, most);
    const auto day = floor<days>(shown);
    const year_month_day date(day);
    const hh_mm_ss time(shown - day);
    char text[64];
    std::snprintf(
        text, sizeof(text), "%04d-%02u-%02uT%02d:%02d:%02d.%06dZ", static_cast<int>(date.year()),
        static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
        static_cast<int>(time.hours().count()), static_cast<int>(time.minutes().count()),
        static_cast<int>(time.seconds().count()), static_cast<int>(time.subseconds().count()));
    return text;
}

std::optional<timestamp> parse_time_text(std::string_view text)
{
    if (text.size() != form.size()) return std::nullopt;
    for (std::size_t i = 0; i != form.size(); ++i) {
        const bool digit = text[i] >= '0' && text[i] <= '9';
        if (form[i] == '0' ? !digit : text[i] != form[i]) return std::nullopt;
    }
    const year_month_day date(
        year(number_at(text, 0, 4)), month(static_cast<unsigned>(number_at(text, 5, 2))),
        day(static_cast<unsigned>(number_at(text, 8, 2))));
    const int hour = number_at(text, 11, 2);
    const int minute = number_at(text, 14, 2);
    const int second = number_at(text, 17, 2);
    if (!date.ok() || hour > 23 || minute > 59 || second > 59) return std::nullopt;
    return sys_days(date) + hours(hour) + minutes(minute) + seconds(second) +
           microseconds(number_at(text, 20, 6));
}

} // namespace perdure::detail
