// expect: perdure: the parameters of a workflow's implementation, after its context, are those of the definition
#include "case.hpp"

auto code = perdure::implement(shop::countdown, [](auto) -> perdure::task<int> { co_return 1; });
