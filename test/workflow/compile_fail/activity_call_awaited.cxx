// expect: perdure: an activity call does nothing by itself; write co_await ctx.run(shop::charge(order))
#include "case.hpp"

perdure::task<std::string> run(perdure::context, shop::order o)
{
    const std::string payment = co_await shop::charge(o);
    co_return payment;
}
