// expect: an activity call does nothing until it is run: co_await ctx.run
#include "case.hpp"

void run() { shop::refund("payment"); }
