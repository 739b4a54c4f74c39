// expect: perdure: GCC 12 destroys a temporary aggregate beside co_await twice; give it a name and pass the named object
#include "case.hpp"

auto call = shop::charge(shop::order());
