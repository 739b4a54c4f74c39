// expect: perdure: a task is awaited once, and so is what when_all and select make of several; write co_await std::move
#include "case.hpp"

perdure::task<> run(perdure::context ctx)
{
    auto both = when_all(ctx.sleep(1s), ctx.sleep(2s));
    co_await both;
}
