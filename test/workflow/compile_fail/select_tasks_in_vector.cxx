// expect: perdure: a select over a vector takes operations, futures and spawned tasks; give tasks to ctx.spawn first
#include "case.hpp"

#include <vector>

perdure::task<> run(std::vector<perdure::task<>> all)
{
    co_await select(std::move(all));
}
