// expect: perdure: GCC 12 destroys a temporary closure or aggregate beside co_await twice; give it a name
#include "case.hpp"

perdure::task<> run(perdure::context ctx, std::string text)
{
    ctx.spawn([text](perdure::context) -> perdure::task<> { co_return; });
    co_return;
}
