#include "orders.hpp"

#include <perdure/workflow/encode.hpp>

#include <fstream>
#include <set>
#include <stdexcept>
#include <utility>

namespace shop {

namespace {

order_line read_line(std::string text, const std::set<std::string>& seen)
{
    auto line = perdure::decode<order_line>(perdure::payload::from_text(std::move(text)));
    if (line.id.empty()) throw std::runtime_error{".id: is empty"};
    if (line.cents <= 0)
        throw std::runtime_error{".cents: must be more than 0, is " + std::to_string(line.cents)};
    if (seen.contains(line.id))
        throw std::runtime_error{".id: \"" + line.id + "\" was ordered before"};
    return line;
}

} // namespace

order_file read_orders(const std::string& path)
{
    std::ifstream file{path};
    if (!file) throw std::runtime_error{"cannot read the orders from " + path};
    order_file read;
    std::set<std::string> seen;
    std::string text;
    for (std::size_t number = 1; std::getline(file, text); ++number) {
        try {
            order_line line = read_line(std::move(text), seen);
            seen.insert(line.id);
            read.orders.push_back(std::move(line));
        } catch (const std::exception& problem) {
            read.broken.push_back({number, problem.what()});
        }
    }
    if (file.bad()) throw std::runtime_error{"reading the orders from " + path + " failed"};
    return read;
}

} // namespace shop
