// Columns for a terminal.
#pragma once

#include "text.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <iostream>
#include <string>
#include <vector>

namespace perdure::tool {

/// Prints rows, the first of them the heading, each column as wide as its widest cell.
template <std::size_t Columns>
void print_table(const std::vector<std::array<std::string, Columns>>& rows)
{
    std::array<std::size_t, Columns> widths{};
    for (const auto& each : rows)
        for (std::size_t i = 0; i < Columns; ++i) widths[i] = std::max(widths[i], columns(each[i]));
    for (const auto& each : rows) {
        std::string line;
        for (std::size_t i = 0; i < Columns; ++i)
            line += each[i] + std::string(widths[i] - columns(each[i]) + 2, ' ');
        line.erase(line.find_last_not_of(' ') + 1);
        std::cout << line << '\n';
    }
}

} // namespace perdure::tool
