#include "fleet.hpp"

#include "interrupt.hpp"

namespace bench {

std::vector<double> joined(const std::vector<std::vector<double>>& parts)
{
    std::vector<double> all;
    for (const std::vector<double>& each : parts) all.insert(all.end(), each.begin(), each.end());
    return all;
}

fleet::fleet(std::size_t workers, const role_setup& setup)
{
    for (std::size_t i = 0; i < workers; ++i) workers_.push_back(start_worker(setup));
}

fleet::fleet(const std::vector<role_setup>& setups)
{
    for (const role_setup& each : setups) workers_.push_back(start_worker(each));
}

std::vector<std::vector<double>> fleet::ask_each(const std::string& command)
{
    for (process& each : workers_) each.send(command);
    std::vector<std::vector<double>> answers;
    for (process& each : workers_) answers.push_back(each.answer(std::chrono::seconds{60}));
    return answers;
}

std::vector<double> fleet::take()
{
    return joined(ask_each("take"));
}

std::vector<std::vector<double>> fleet::collect_each(
    std::size_t expected, std::chrono::duration<double> patience)
{
    const auto deadline = std::chrono::steady_clock::now() + patience;
    std::vector<std::vector<double>> all(workers_.size());
    for (;;) {
        const std::vector<std::vector<double>> more = ask_each("take");
        std::size_t count = 0;
        for (std::size_t i = 0; i < all.size(); ++i) {
            all[i].insert(all[i].end(), more[i].begin(), more[i].end());
            count += all[i].size();
        }
        if (count >= expected || std::chrono::steady_clock::now() > deadline) return all;
        pause(std::chrono::milliseconds{50});
    }
}

std::vector<double> fleet::collect(std::size_t expected, std::chrono::duration<double> patience)
{
    return joined(collect_each(expected, patience));
}

double fleet::processor_seconds() const
{
    double total = 0.0;
    for (const process& each : workers_) total += bench::processor_seconds(each.pid());
    return total;
}

stretch::stretch(installation& on, const fleet& workers)
    : on_{on}, workers_{workers}, before_{on.count()}, worker_seconds_{workers.processor_seconds()}
{}

void stretch::add(report& to, const std::string& row)
{
    const counters after = on_.count();
    const double seconds = std::chrono::duration<double>(after.at - before_.at).count();
    const double statements = after.worker_statements - before_.worker_statements +
                              after.client_statements - before_.client_statements;
    to.add(row + ".statements_per_s", statements / seconds);
    to.add(
        row + ".server_cpu_percent",
        (after.server_seconds - before_.server_seconds) / seconds * 100.0);
    to.add(
        row + ".worker_cpu_percent",
        (workers_.processor_seconds() - worker_seconds_) / seconds * 100.0);
}

} // namespace bench
