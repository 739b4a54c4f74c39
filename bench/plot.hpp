// Pictures of what was measured, drawn by gnuplot.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace bench {

enum class scale
{
    linear,
    logarithmic
};

struct axis
{
    std::string label;
    scale kind = scale::linear;
};

struct curve
{
    std::string name;
    std::vector<std::pair<double, double>> points;
};

/// One picture; several stand side by side.
struct panel
{
    std::string title;
    axis x;
    axis y;
    std::vector<curve> curves;
};

/// \throws std::runtime_error gnuplot is not installed.
void require_gnuplot();

/// Writes an SVG. \throws std::runtime_error gnuplot failed.
void write_svg(const std::string& file, const std::vector<panel>& panels);

} // namespace bench
