// expect: perdure: a task is awaited once; give it to when_all or select with std::move
#include "case.hpp"

perdure::task<> child(perdure::context) { co_return; }

perdure::task<> run(perdure::context ctx)
{
    auto once = child(ctx);
    co_await when_all(once, ctx.sleep(1s));
}
