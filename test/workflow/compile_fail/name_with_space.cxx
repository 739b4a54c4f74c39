// expect: perdure: a workflow's name is 1 to 100 of the characters A-Z a-z 0-9 - _ . /
#include "case.hpp"

auto name = perdure::workflow<"check out", void()>::name();
