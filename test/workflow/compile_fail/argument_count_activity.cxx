// expect: perdure: the number of arguments does not match the signature in the activity's definition
#include "case.hpp"

auto call = shop::charge();
