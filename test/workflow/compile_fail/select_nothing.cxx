// expect: perdure: select needs something to wait for
#include "case.hpp"

perdure::task<> run(perdure::context)
{
    co_await perdure::select();
}
