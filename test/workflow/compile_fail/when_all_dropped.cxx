// expect: when_all does nothing until it is awaited: co_await it
#include "case.hpp"

perdure::task<> run(perdure::context ctx)
{
    when_all(ctx.sleep(1s), ctx.sleep(2s));
    co_return;
}
