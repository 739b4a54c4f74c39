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

struct report
{
    /// \param lease of the workers: orders placed so close to the kill say nothing about waking up.
    report(const story& seen, const std::vector<entry>& ledger, std::chrono::milliseconds lease);

    bool good() const noexcept { return lost.empty() && charged_twice.empty(); }

    std::vector<std::string> lost;          // order and what is missing
    std::vector<std::string> charged_twice; // order and how
    std::size_t changed_worker = 0;
    std::vector<double>
        wake_ups; // ms from the client's start call to the first line of `charge`, sorted
    double slowest_at_kill = 0; // the longest of those that were left out because of the kill
};

void print(
    std::ostream& out, const story& seen, const report& result, std::chrono::milliseconds lease);

} // namespace demo
