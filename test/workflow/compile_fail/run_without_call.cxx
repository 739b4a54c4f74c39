// expect: perdure: ctx.run takes a call of an activity: ctx.run(shop::charge(order))
#include "case.hpp"

perdure::task<std::string> run(perdure::context ctx)
{
    const std::string payment = co_await ctx.run(shop::charge);
    co_return payment;
}
