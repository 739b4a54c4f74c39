// expect: perdure: the argument would be narrowed to the parameter's type; convert it explicitly
#include "case.hpp"

auto call = shop::approve("yes");
