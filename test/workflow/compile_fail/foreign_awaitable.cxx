// expect: perdure: a workflow can await only what its context gives out and perdure::task
#include "case.hpp"

struct socket_read
{
    bool await_ready() { return true; }
    void await_suspend(std::coroutine_handle<>) {}
    int await_resume() { return 1; }
};

perdure::task<int> run(perdure::context)
{
    const int received = co_await socket_read();
    co_return received;
}
