#include "story.hpp"

#include <algorithm>
#include <sstream>
#include <stdexcept>

namespace demo {

void story::heed(std::string_view line, double now)
{
    if (line.starts_with("line ")) {
        broken.emplace_back(line);
        return;
    }
    std::istringstream words{std::string{line}};
    std::string first;
    std::string what;
    words >> first >> what;
    if (what == "orders") {
        expected += std::stoul(first);
    } else if (what == "placed") {
        words >> orders[first].placed_at;
    } else if (what == "shipped" || what == "refunded") {
        orders[first].result = what == "shipped" ? outcome::shipped : outcome::refunded;
        orders[first].finished_at = now;
        words >> orders[first].payment;
    } else if (what == "declined") {
        orders[first].result = outcome::declined;
        orders[first].finished_at = now;
    } else {
        throw std::runtime_error{
            "the client printed a line that means nothing here: " + std::string{line}};
    }
}

std::size_t story::count(outcome result) const noexcept
{
    return static_cast<std::size_t>(
        std::count_if(orders.begin(), orders.end(), [&](const auto& order) {
            return order.second.result == result;
        }));
}

std::size_t story::finished() const noexcept
{
    return orders.size() - count(outcome::none);
}

} // namespace demo
