// What the demo saw happen, line by line, from the output of its clients.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace demo {

enum class outcome
{
    none,
    shipped,
    refunded,
    declined
};

struct order_story
{
    double placed_at = 0; // seconds since 1970, when the client began to start its workflow
    outcome result = outcome::none;
    std::string payment;    // of a receipt
    double finished_at = 0; // when the client said so
};

struct story
{
    std::size_t expected = 0; // orders that the clients are going to place
    std::vector<std::string> broken;
    std::map<std::string, order_story> orders; // by id
    std::optional<double> killed_at;           // when a worker was killed, seconds since 1970

    /// Takes in a line that the client printed at `now`. Throws std::runtime_error for one it does
    /// not know.
    void heed(std::string_view line, double now);

    std::size_t count(outcome result) const noexcept;

    /// Orders that have an outcome.
    std::size_t finished() const noexcept;
};

} // namespace demo
