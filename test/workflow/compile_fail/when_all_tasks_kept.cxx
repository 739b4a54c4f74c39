// expect: perdure: a task is awaited once; give it to when_all or select with std::move
#include "case.hpp"

#include <vector>

perdure::task<> run(std::vector<perdure::task<>> all)
{
    co_await when_all(all);
}
