// expect: perdure: when_all and select take what a workflow can await
#include "case.hpp"

perdure::task<> run(perdure::context ctx, shop::order o)
{
    co_await perdure::when_all(ctx.sleep(1s), shop::charge(o));
}
