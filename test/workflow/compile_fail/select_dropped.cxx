// expect: select does nothing until it is awaited: co_await it
#include "case.hpp"

perdure::task<> run(perdure::context ctx)
{
    select(ctx.sleep(1s), ctx.sleep(2s));
    co_return;
}
