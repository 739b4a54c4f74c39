// The definitions that the tests of this layer use.
#pragma once

#include <perdure/workflow/definitions.hpp>

#include <cstdint>
#include <optional>
#include <string>

namespace shop {

struct order
{
    std::string id;
    std::int64_t cents = 0;
};

struct receipt
{
    std::string order_id, payment;
};

struct declined
{
    std::string reason;
};

BOOST_DESCRIBE_STRUCT(order, (), (id, cents))
BOOST_DESCRIBE_STRUCT(receipt, (), (order_id, payment))
BOOST_DESCRIBE_STRUCT(declined, (), (reason))

inline constexpr perdure::workflow<"checkout", receipt(order)> checkout;
inline constexpr perdure::workflow<"text", std::string()> text;
inline constexpr perdure::workflow<"countdown", int(int)> countdown;
inline constexpr perdure::activity<"charge", std::string(order)> charge;
inline constexpr perdure::activity<"refund", void(std::string)> refund;
inline constexpr perdure::activity<"ship", void(order)> ship;
inline constexpr perdure::signal<"approve", bool> approve;
inline constexpr perdure::signal<"note", std::string> note;
inline constexpr perdure::signal<"go"> go;
inline constexpr perdure::failure<"card-declined", declined> card_declined;
inline constexpr perdure::failure<"sold-out"> sold_out;

} // namespace shop
