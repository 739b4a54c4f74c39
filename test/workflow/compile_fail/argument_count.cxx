// expect: perdure: the number of arguments does not match the signature in the workflow's definition
#include "case.hpp"

const shop::order order{"A", 1};
auto call = shop::checkout(order, 1);
