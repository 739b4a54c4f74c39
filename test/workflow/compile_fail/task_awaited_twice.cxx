// expect: perdure: a task is awaited once, and so is what when_all and select make of several; write co_await std::move
#include "case.hpp"

perdure::task<int> child(perdure::context) { co_return 1; }

perdure::task<int> run(perdure::context ctx)
{
    auto once = child(ctx);
    const int first = co_await once;
    co_return first;
}
