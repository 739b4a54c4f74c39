// expect: perdure: a workflow can await only what its context gives out and perdure::task
#include "case.hpp"

perdure::task<> run(perdure::context)
{
    co_await std::suspend_always();
}
