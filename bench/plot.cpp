#include "plot.hpp"

#include <sys/wait.h>

#include <cstdio>
#include <cstdlib>
#include <stdexcept>

namespace bench {

namespace {

constexpr int panel_width = 640;
constexpr int panel_height = 440;

/// A string of gnuplot's own language.
std::string quoted(const std::string& text)
{
    std::string result = "'";
    for (const char each : text) {
        if (each == '\'') result += '\'';
        result += each;
    }
    return result + "'";
}

void write(std::FILE* to, const panel& what)
{
    std::fprintf(to, "set title %s\n", quoted(what.title).c_str());
    const auto set = [to](const char* name, const axis& each) {
        std::fprintf(to, "set %slabel %s\n", name, quoted(each.label).c_str());
        std::fprintf(
            to, "%s logscale %s\n", each.kind == scale::logarithmic ? "set" : "unset", name);
        if (each.kind == scale::linear)
            std::fprintf(to, "set %srange [0:*]\n", name);
        else
            std::fprintf(to, "set %srange [*:*]\n", name);
    };
    set("x", what.x);
    set("y", what.y);
    std::size_t number = 0;
    for (const curve& each : what.curves) {
        std::fprintf(to, "$data%zu << end\n", number++);
        for (const auto& [x, y] : each.points) std::fprintf(to, "%.9g %.9g\n", x, y);
        std::fprintf(to, "end\n");
    }
    std::fprintf(to, "plot");
    number = 0;
    for (const curve& each : what.curves) {
        std::fprintf(
            to,
            "%s $data%zu using 1:2 with linespoints linewidth 2 pointtype 7 pointsize 0.5 title %s",
            number == 0 ? "" : ",", number, quoted(each.name).c_str());
        ++number;
    }
    std::fprintf(to, "\n");
}

} // namespace

void require_gnuplot()
{
    if (std::system("command -v gnuplot >/dev/null") != 0) // NOLINT(bugprone-command-processor)
        throw std::runtime_error{"--plot needs the program gnuplot: ./dev setup bench installs it"};
}

void write_svg(const std::string& file, const std::vector<panel>& panels)
{
    if (panels.empty()) throw std::runtime_error{"there is nothing to draw"};
    std::FILE* const gnuplot = ::popen("gnuplot", "w"); // NOLINT(bugprone-command-processor)
    if (!gnuplot) throw std::runtime_error{"gnuplot cannot be started"};
    std::fprintf(
        gnuplot, "set terminal svg size %d,%d font 'sans-serif,12' background 'white'\n",
        panel_width * static_cast<int>(panels.size()), panel_height);
    std::fprintf(gnuplot, "set output %s\nset encoding utf8\n", quoted(file).c_str());
    std::fprintf(
        gnuplot, "set grid\nset key noenhanced outside below height 1\nset xlabel offset "
                 "0,0.5\nset title noenhanced\n");
    std::fprintf(gnuplot, "set multiplot layout 1,%zu\n", panels.size());
    for (const panel& each : panels) write(gnuplot, each);
    std::fprintf(gnuplot, "unset multiplot\n");
    const int status = ::pclose(gnuplot);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        throw std::runtime_error{"gnuplot could not draw " + file};
}

} // namespace bench
