// The few numbers that stand for many.
#pragma once

#include <vector>

namespace bench {

/// The value below which `share` (0 to 1) of the values lie, by nearest rank. There must be one.
double percentile(std::vector<double> values, double share);

double median(std::vector<double> values);

/// Half of the distance between the least and the most, relative to the median; 0 for a single value.
double relative_spread(const std::vector<double>& values);

} // namespace bench
