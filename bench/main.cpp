// The benchmarks, one program: perdure_bench NAME. It starts itself again for the processes that a
// benchmark is made of.
#include "benchmarks.hpp"
#include "interrupt.hpp"
#include "plot.hpp"
#include "roles.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <array>
#include <cstdio>
#include <exception>
#include <fstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace {

constexpr int usage_error = 2;

struct benchmark
{
    std::string_view name;
    const char* what;
    void (*measure)(const bench::options&, bench::report&);
};

constexpr std::array benchmarks{
    benchmark{"wake", "NOTIFY against polling: from a start to its activity", bench::measure_wake},
    benchmark{"idle", "what an idle worker asks of the server", bench::measure_idle},
    benchmark{"herd", "how many of many idle workers wake for a task", bench::measure_herd},
    benchmark{"commit-lock", "what announcing costs those who commit", bench::measure_commit_lock},
    benchmark{"timers", "how late timers fire while many sleep", bench::measure_timers},
    benchmark{"reconnect", "how soon workers are back after an outage", bench::measure_reconnect},
    benchmark{"latency", "an idle installation from a start to its result", bench::measure_latency},
};

/// Opened before anything is measured: after half an hour is no time to find that it cannot be
/// written.
class output_file
{
public:
    explicit output_file(const std::string& name) : name_{name}
    {
        if (name_.empty()) return;
        file_.open(name_);
        if (!file_) refuse();
    }

    void write(const std::string& text)
    {
        if (name_.empty()) return;
        file_ << text << std::flush;
        if (!file_) refuse();
    }

private:
    [[noreturn]] void refuse() const
    {
        throw std::runtime_error{"the file " + name_ + " cannot be written"};
    }

    std::string name_;
    std::ofstream file_;
};

void run(const benchmark& chosen, const bench::options& how)
{
    if (!how.plot.empty()) bench::require_gnuplot();
    output_file json{how.json};
    bench::heed_interrupts();
    bench::report report{std::string{chosen.name}};
    chosen.measure(how, report);
    report.print_table();
    json.write(report.json());
    if (!how.plot.empty()) bench::write_svg(how.plot, report.panels());
}

} // namespace

int main(int argc, char** argv)
{
    const std::vector<std::string> arguments(argv + 1, argv + argc);
    if (!arguments.empty() && bench::is_role(arguments[0]))
        return bench::play(arguments[0], {arguments.begin() + 1, arguments.end()});

    CLI::App application{"Measures Perdure on a PostgreSQL of its own.", "perdure_bench"};
    bench::options how;
    std::string name;
    std::string names = "Benchmarks:";
    for (const benchmark& each : benchmarks) {
        std::string padded{each.name};
        padded.resize(14, ' ');
        names += "\n  " + padded + each.what;
    }
    application.footer(names);
    application.add_option("name", name, "The benchmark")->required();
    application.add_flag("--quick", how.quick, "Take seconds: to see that it works");
    application.add_option("--data", how.data, "Keep the server's data in this directory");
    application.add_option("--json", how.json, "Write settings and metrics to this file");
    application.add_option("--plot", how.plot, "Draw a picture into this file (SVG)");
    application.add_option("--repeats", how.repeats, "How often everything is measured")
        ->check(CLI::Range(1, 100));
    application.add_option("--seconds", how.seconds, "How long one measurement takes")
        ->check(CLI::Range(0.1, 3600.0));
    const benchmark* chosen = nullptr;
    try {
        application.parse(argc, argv);
        chosen = std::ranges::find(benchmarks, name, &benchmark::name);
        if (chosen == benchmarks.end())
            throw CLI::ValidationError{"there is no benchmark \"" + name + "\", --help names all"};
    } catch (const CLI::ParseError& end) { // also --help
        if (end.get_exit_code() == 0) return application.exit(end);
        std::fprintf(stderr, "perdure_bench: %s\n", end.what());
        return usage_error;
    }
    try {
        run(*chosen, how);
        return 0;
    } catch (const bench::interrupted&) {
        std::fprintf(stderr, "perdure_bench: interrupted\n");
        return 130;
    } catch (const std::exception& failure) {
        std::fprintf(stderr, "perdure_bench: %s\n", failure.what());
        return 1;
    }
}
