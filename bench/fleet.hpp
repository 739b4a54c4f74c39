// Several workers, and what a stretch of their work costs.
#pragma once

#include "installation.hpp"
#include "roles.hpp"

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

namespace bench {

/// All of them in one.
std::vector<double> joined(const std::vector<std::vector<double>>& parts);

class fleet
{
public:
    /// Starts as many workers; they may still be connecting when this returns.
    fleet(std::size_t workers, const role_setup& setup);
    /// A worker for each setup.
    explicit fleet(const std::vector<role_setup>& setups);

    /// Microseconds from starts to activities, of all that ran since the last take.
    std::vector<double> take();

    /// Takes until there are so many, or patience has ended.
    std::vector<double> collect(std::size_t expected, std::chrono::duration<double> patience);

    /// The same of each worker by itself.
    std::vector<std::vector<double>> collect_each(
        std::size_t expected, std::chrono::duration<double> patience);

    /// What each worker answers.
    std::vector<std::vector<double>> ask_each(const std::string& command);

    void kill(std::size_t number)
    {
        workers_.erase(workers_.begin() + static_cast<std::ptrdiff_t>(number));
    }

    std::size_t size() const noexcept { return workers_.size(); }

    /// Processor time used so far.
    double processor_seconds() const;

private:
    std::vector<process> workers_;
};

/// What the server and the workers did between its construction and `report`.
class stretch
{
public:
    stretch(installation& on, const fleet& workers);

    /// Adds `row.statements_per_s`, `row.server_cpu_percent` and `row.worker_cpu_percent`; a hundred
    /// percent is one processor.
    void add(report& to, const std::string& row);

private:
    installation& on_;
    const fleet& workers_;
    counters before_;
    double worker_seconds_;
};

} // namespace bench
