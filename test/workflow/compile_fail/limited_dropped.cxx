// expect: nothing happens until it is awaited: co_await it
#include "case.hpp"

perdure::task<> run(perdure::context ctx)
{
    ctx.receive(shop::go).within(1h);
    co_return;
}
