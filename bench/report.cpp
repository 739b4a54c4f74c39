#include "report.hpp"

#include "statistics.hpp"

#include <boost/json/serialize.hpp>
#include <boost/json/string.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <stdexcept>

namespace bench {

namespace {

std::string quoted(const std::string& text)
{
    return boost::json::serialize(boost::json::string{text});
}

/// Six digits are more than any measurement is good for.
std::string json_number(double value)
{
    char text[64];
    std::snprintf(text, sizeof text, value == std::round(value) ? "%.0f" : "%.6g", value);
    return text;
}

/// A member a line, so that two reports can be compared line by line.
class json_object
{
public:
    void add(const std::string& name, const std::string& value)
    {
        members_ += (members_.empty() ? "\n    " : ",\n    ") + quoted(name) + ": " + value;
    }

    std::string text() const { return "{" + members_ + "\n  }"; }

private:
    std::string members_;
};

std::string number_text(double value)
{
    char text[64];
    const double size = std::abs(value);
    if (size >= 100.0 || value == std::round(value))
        std::snprintf(text, sizeof text, "%.0f", value);
    else
        std::snprintf(text, sizeof text, size >= 10.0 ? "%.1f" : "%.2f", value);
    std::string grouped = text;
    const std::size_t end = std::min(grouped.find('.'), grouped.size());
    for (std::size_t at = end; at > 3; at -= 3)
        if (at - 3 > (grouped.front() == '-' ? 1U : 0U)) grouped.insert(at - 3, ",");
    return grouped;
}

std::string cell_text(const std::vector<double>& values)
{
    std::string text = number_text(median(values));
    if (values.size() > 1) {
        char spread[32];
        std::snprintf(spread, sizeof spread, " ±%.0f%%", relative_spread(values) * 100.0);
        text += spread;
    }
    return text;
}

/// Columns on a terminal: every byte but those that go on with a character.
std::size_t width(std::string_view text)
{
    return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
        return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
    }));
}

void print_left(std::string_view text, std::size_t columns)
{
    std::printf(
        "%.*s%*s", static_cast<int>(text.size()), text.data(),
        static_cast<int>(columns - std::min(columns, width(text))), "");
}

void print_right(std::string_view text, std::size_t columns)
{
    std::printf(
        "%*s%.*s", static_cast<int>(columns - std::min(columns, width(text))), "",
        static_cast<int>(text.size()), text.data());
}

std::string percent_name(double percent)
{
    char text[32];
    std::snprintf(text, sizeof text, "%g", percent);
    std::string name{text};
    name.erase(std::remove(name.begin(), name.end(), '.'), name.end());
    return "p" + name + "_us";
}

/// Rows that stand below one another because they have the same columns.
struct table
{
    std::vector<std::string> columns;
    std::vector<std::pair<std::string, std::vector<std::string>>> rows;
};

void print(const table& what)
{
    constexpr std::string_view gap = "   ";
    std::size_t first = 0;
    for (const auto& [name, cells] : what.rows) first = std::max(first, width(name));
    std::vector<std::size_t> widths;
    for (std::size_t i = 0; i < what.columns.size(); ++i) {
        widths.push_back(width(what.columns[i]));
        for (const auto& [name, cells] : what.rows)
            widths[i] = std::max(widths[i], width(cells[i]));
    }
    std::printf("\n  ");
    print_left("", first);
    for (std::size_t i = 0; i < widths.size(); ++i) {
        print_left(gap, gap.size());
        print_right(what.columns[i], widths[i]);
    }
    std::printf("\n");
    for (const auto& [name, cells] : what.rows) {
        std::printf("  ");
        print_left(name, first);
        for (std::size_t i = 0; i < widths.size(); ++i) {
            print_left(gap, gap.size());
            print_right(cells[i], widths[i]);
        }
        std::printf("\n");
    }
}

} // namespace

void report::set(std::string name, std::string value)
{
    text_settings_.emplace_back(std::move(name), std::move(value));
}

void report::set(std::string name, double value)
{
    number_settings_.emplace_back(std::move(name), value);
}

void report::add(const std::string& name, double value)
{
    const auto [found, is_new] = index_.try_emplace(name, metrics_.size());
    if (is_new) {
        const std::size_t dot = name.rfind('.');
        metric fresh;
        fresh.name = name;
        fresh.row = dot == name.npos ? "" : name.substr(0, dot);
        fresh.column = dot == name.npos ? name : name.substr(dot + 1);
        metrics_.push_back(std::move(fresh));
    }
    metrics_[found->second].values.push_back(value);
}

void report::add_latencies(
    const std::string& row, const std::vector<double>& samples, const std::vector<double>& percents)
{
    if (samples.empty()) throw std::runtime_error{"no task was picked up in time: " + row};
    for (const double percent : percents)
        add((row.empty() ? "" : row + ".") + percent_name(percent),
            percentile(samples, percent / 100.0));
}

const report::metric* report::find(const std::string& name) const
{
    const auto found = index_.find(name);
    return found == index_.end() ? nullptr : &metrics_[found->second];
}

bool report::has(const std::string& name) const
{
    return find(name) != nullptr;
}

double report::median_of(const std::string& name) const
{
    const metric* const found = find(name);
    if (!found) throw std::logic_error{"no metric " + name};
    return median(found->values);
}

void report::print_settings() const
{
    std::printf("%s\n", benchmark_.c_str());
    for (const auto& [name, value] : text_settings_)
        std::printf("  %-26s %s\n", name.c_str(), value.c_str());
    for (const auto& [name, value] : number_settings_)
        std::printf("  %-26s %s\n", name.c_str(), number_text(value).c_str());
    std::fflush(stdout);
}

void report::print_table() const
{
    std::vector<table> tables;
    std::vector<std::string> seen;
    for (const metric& leader : metrics_) {
        if (std::find(seen.begin(), seen.end(), leader.row) != seen.end()) continue;
        seen.push_back(leader.row);
        std::vector<std::string> columns;
        std::vector<std::string> cells;
        for (const metric& each : metrics_) {
            if (each.row != leader.row) continue;
            columns.push_back(each.column);
            cells.push_back(cell_text(each.values));
        }
        auto same = std::find_if(tables.begin(), tables.end(), [&](const table& each) {
            return each.columns == columns;
        });
        if (same == tables.end()) {
            tables.emplace_back();
            same = std::prev(tables.end());
            same->columns = columns;
        }
        same->rows.emplace_back(leader.row, std::move(cells));
    }
    for (const table& each : tables) print(each);
    std::printf("\n");
    for (const std::string& each : notes_) std::printf("  %s\n", each.c_str());
    std::fflush(stdout);
}

std::string report::json() const
{
    std::string prefix = benchmark_;
    std::replace(prefix.begin(), prefix.end(), '-', '_');
    json_object settings;
    for (const auto& [name, value] : text_settings_) settings.add(name, quoted(value));
    for (const auto& [name, value] : number_settings_) settings.add(name, json_number(value));
    json_object metrics;
    for (const metric& each : metrics_)
        metrics.add(prefix + "." + each.name, json_number(median(each.values)));
    return "{\n  \"bench\": " + quoted(benchmark_) + ",\n  \"settings\": " + settings.text() +
           ",\n  \"metrics\": " + metrics.text() + "\n}\n";
}

} // namespace bench
