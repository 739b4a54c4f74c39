// expect: an operation does nothing until it is awaited: co_await it
#include "case.hpp"

perdure::task<> run(perdure::context ctx)
{
    ctx.sleep(1s);
    co_return;
}
