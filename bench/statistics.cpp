#include "statistics.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <stdexcept>

namespace bench {

double percentile(std::vector<double> values, double share)
{
    if (values.empty()) throw std::logic_error{"a percentile of nothing"};
    const double rank = std::ceil(share * static_cast<double>(values.size()));
    const std::size_t index = rank < 1.0 ? 0 : static_cast<std::size_t>(rank) - 1;
    const auto at =
        values.begin() + static_cast<std::ptrdiff_t>(std::min(index, values.size() - 1));
    std::nth_element(values.begin(), at, values.end());
    return *at;
}

double median(std::vector<double> values)
{
    if (values.empty()) throw std::logic_error{"a median of nothing"};
    std::sort(values.begin(), values.end());
    const std::size_t middle = values.size() / 2;
    if (values.size() % 2 == 1) return values[middle];
    return (values[middle - 1] + values[middle]) / 2.0;
}

double relative_spread(const std::vector<double>& values)
{
    const auto [least, most] = std::minmax_element(values.begin(), values.end());
    const double middle = median(values);
    return middle == 0.0 ? 0.0 : (*most - *least) / 2.0 / std::abs(middle);
}

} // namespace bench
