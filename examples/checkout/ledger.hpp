// The shop's books: a table with one row for everything that was really done, whoever did it,
// however often it was tried.
#pragma once

#include "shop.hpp"

#include <perdure/pg/pool.hpp>
#include <perdure/worker/activity_context.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <cstdint>
#include <string>

namespace shop {

/// The table `shop.ledger`. It stands in for the card network and the parcel service, which take an
/// idempotency key for the same reason: an activity runs at least once, and its second attempt must
/// change nothing.
class ledger
{
public:
    /// \param worker written beside each row, to see who did what.
    ledger(boost::asio::any_io_executor executor, std::string dsn, std::string worker);

    /// Makes the table if it is not there.
    boost::asio::awaitable<void> create();

    /// Writes what the activity did to an order, unless an earlier attempt of the same call has
    /// written it.
    boost::asio::awaitable<void> write(perdure::activity_context activity, order subject);

    /// The same for a plain function: called on any thread but the executor's, returns when it is
    /// written, or throws when the activity is to stop.
    void write_and_wait(perdure::activity_context activity, const order& subject);

private:
    boost::asio::awaitable<void> write_row(
        std::string key, std::string kind, std::string order_id, std::int64_t cents);

    perdure::pg::pool pool_;
    std::string worker_;
};

} // namespace shop
