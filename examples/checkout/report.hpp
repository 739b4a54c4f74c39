// The demo's end: what the client saw, held against what the ledger says was really done.
#pragma once

#include "story.hpp"

#include <perdure/pg/pool.hpp>
#include <perdure/pg/value.hpp>

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <cstddef>
#include <iosfwd>
#include <string>
#include <vector>

namespace demo {

/// A row of `shop.ledger`.
struct entry
{
    std::string key;
    std::string order;
    std::string kind;
    std::string worker;
    double at = 0; // seconds since 1970: the first line of the activity
};

/// Reads what the ledger says about the orders whose ids begin with `prefix`.
boost::asio::awaitable<std::vector<entry>> read_ledger(
    perdure::pg::pool& database, std::string prefix);

using entries = std::vector<const entry*>;

struct report
{
    /// \param lease of the workers: orders placed so close to the kill say nothing about waking up.
    report(const story& seen, const std::vector<entry>& ledger, std::chrono::milliseconds lease);

    bool good() const noexcept { return lost.empty() && twice.empty(); }

    std::vector<std::string> lost;  // order and what is missing
    std::vector<std::string> twice; // order and what was done to it more than once
    std::size_t changed_worker = 0;
    std::vector<double>
        wake_ups; // ms from the client's start call to the first line of `charge`, sorted
    std::size_t in_flight = 0; // orders that were placed and not done when the worker was killed
    double in_flight_done = 0; // ms from the kill until the last of them was done

private:
    void check(const std::string& id, const order_story& order, const entries& done);
    void measure(
        const story& seen, const order_story& order, const entries& done,
        std::chrono::milliseconds lease);
};

void print(
    std::ostream& out, const story& seen, const report& result, std::chrono::milliseconds lease);

} // namespace demo
