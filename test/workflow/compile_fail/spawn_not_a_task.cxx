// expect: perdure: spawn takes a task, or a function that takes perdure::context and then these arguments and returns a task
#include "case.hpp"

perdure::task<> run(perdure::context ctx)
{
    const auto work = [](int) -> perdure::task<> { co_return; }; // takes no context
    ctx.spawn(work, 1);
    co_return;
}
