// What the worker and the client agree on: names that last, and the types behind them.
#pragma once

#include <perdure/workflow/definitions.hpp>

#include <chrono>
#include <cstdint>
#include <string>

namespace shop {

struct order
{
    std::string id;
    std::string customer;
    std::int64_t cents = 0;
};
BOOST_DESCRIBE_STRUCT(order, (), (id, customer, cents))

struct receipt
{
    std::string order_id;
    std::string payment;
    bool shipped = false;
};
BOOST_DESCRIBE_STRUCT(receipt, (), (order_id, payment, shipped))

struct declined
{
    std::string reason;
};
BOOST_DESCRIBE_STRUCT(declined, (), (reason))

inline constexpr perdure::workflow<"checkout", receipt(order)> checkout;
inline constexpr perdure::activity<"charge", std::string(order)> charge;
inline constexpr perdure::activity<"refund", void(order, std::string)> refund;
inline constexpr perdure::activity<"ship", void(order)> ship;
inline constexpr perdure::signal<"approve", bool> approve;
inline constexpr perdure::failure<"card-declined", declined> card_declined;

inline constexpr char queue[] = "checkout";
inline constexpr std::int64_t limit = 1'000'000;   // cents
inline constexpr std::chrono::seconds patience{2}; // a real shop would wait for days

} // namespace shop
