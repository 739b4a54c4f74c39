// expect: perdure: GCC 12 destroys a temporary closure with captures beside co_await twice; give it a name
#include "case.hpp"

perdure::task<int> run(perdure::context ctx, std::string text)
{
    const int length = co_await ctx.side_effect([text] { return static_cast<int>(text.size()); });
    co_return length;
}
