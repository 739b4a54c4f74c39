// Reading a file of orders, one JSON object a line, as they come from the world: not all of them in
// order.
#pragma once

#include "shop.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace shop {

/// A line of the file: the order, and what the customer will answer when asked to approve it.
struct order_line : order
{
    std::optional<bool> approve; // nothing: the customer never answers
};
BOOST_DESCRIBE_STRUCT(order_line, (order), (approve))

/// A line that is no order, and why.
struct broken_line
{
    std::size_t number = 0; // from 1
    std::string problem;
};

struct order_file
{
    std::vector<order_line> orders;
    std::vector<broken_line> broken;
};

/// Reads the whole file. Throws std::runtime_error when it cannot be read.
order_file read_orders(const std::string& path);

} // namespace shop
