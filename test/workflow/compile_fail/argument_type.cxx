// expect: perdure: the argument's type does not match the parameter in the definition's signature
#include "case.hpp"

auto call = shop::charge("A-17");
