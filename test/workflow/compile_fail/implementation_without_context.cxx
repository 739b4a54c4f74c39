// expect: perdure: the first parameter of a workflow's implementation is perdure::context, by value
#include "case.hpp"

perdure::task<shop::receipt> run(shop::order) { co_return shop::receipt(); }

auto code = perdure::implement(shop::checkout, run);
