// expect: perdure: the parameters of a workflow's implementation, after its context, are those of the definition
#include "case.hpp"

perdure::task<int> run(perdure::context, long) { co_return 1; } // the definition says int

auto code = perdure::implement(shop::countdown, run);
