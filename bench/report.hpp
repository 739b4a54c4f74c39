// What a benchmark found: settings, metrics of which every repetition adds a value, and curves. It
// becomes a table, a JSON document or a picture.
#pragma once

#include "plot.hpp"

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace bench {

class report
{
public:
    explicit report(std::string benchmark) : benchmark_{std::move(benchmark)} {}

    void set(std::string name, std::string value);
    void set(std::string name, const char* value) { set(std::move(name), std::string{value}); }
    void set(std::string name, double value);

    /// One repetition's value of a metric. Its name begins with the benchmark's, which is added here.
    void add(const std::string& metric, double value);

    /// Percentiles of one repetition's samples, which are in microseconds: `row.p50_us` and so on.
    /// \param percents such as 50, 99, 99.9.
    void add_latencies(
        const std::string& row, const std::vector<double>& samples,
        const std::vector<double>& percents);

    /// The median of what was added so far, for what is computed from metrics.
    double median_of(const std::string& metric) const;
    bool has(const std::string& metric) const;

    /// A sentence below the table.
    void note(std::string sentence) { notes_.push_back(std::move(sentence)); }

    void show(panel picture) { panels_.push_back(std::move(picture)); }

    const std::string& benchmark() const noexcept { return benchmark_; }
    const std::vector<panel>& panels() const noexcept { return panels_; }

    void print_settings() const;
    /// A row for what comes before a metric's last dot, a column for what comes behind it.
    void print_table() const;
    std::string json() const;

private:
    struct metric
    {
        std::string name;
        std::string row;
        std::string column;
        std::vector<double> values;
    };

    const metric* find(const std::string& name) const;

    std::string benchmark_;
    std::vector<std::pair<std::string, std::string>> text_settings_;
    std::vector<std::pair<std::string, double>> number_settings_;
    std::vector<metric> metrics_;
    std::map<std::string, std::size_t, std::less<>> index_;
    std::vector<panel> panels_;
    std::vector<std::string> notes_;
};

} // namespace bench
