// expect: perdure: a task is spawned once; write ctx.spawn(std::move(task))
#include "case.hpp"

perdure::task<> child(perdure::context) { co_return; }

perdure::task<> run(perdure::context ctx)
{
    auto once = child(ctx);
    ctx.spawn(once);
    co_return;
}
