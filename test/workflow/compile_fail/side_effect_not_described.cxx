// expect: perdure: what this side effect returns cannot be encoded; describe it with BOOST_DESCRIBE_STRUCT
#include "case.hpp"

struct secret
{
    int number = 0;
};

perdure::task<> run(perdure::context ctx)
{
    co_await ctx.side_effect([] { return secret(); });
}
