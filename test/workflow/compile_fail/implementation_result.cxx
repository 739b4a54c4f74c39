// expect: perdure: the implementation of a workflow is a coroutine that returns perdure::task of the definition's result
#include "case.hpp"

perdure::task<int> run(perdure::context) { co_return 1; } // the definition says std::string

auto code = perdure::implement(shop::text, run);
