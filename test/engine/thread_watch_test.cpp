#include <engine/thread_watch.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/strand.hpp>

#include <doctest/doctest.h>

#include <thread>

namespace asio = boost::asio;
using perdure::thread_watch;

namespace {

/// Handlers that run on this thread and on another in turn.
struct two_threads
{
    thread_watch& watch;
    bool here = false;

    /// How often the watch complains during so many changes.
    int complaints(int changes)
    {
        int heard = 0;
        const auto handlers = [&] {
            for (int i = 0; i < 10; ++i) heard += watch.astray() ? 1 : 0;
        };
        for (int i = 0; i < changes; ++i) {
            here = !here;
            if (here)
                handlers();
            else
                std::thread{handlers}.join();
        }
        return heard;
    }
};

} // namespace

TEST_CASE("handlers that keep changing their thread are noticed, once")
{
    asio::io_context io;
    thread_watch watch{io.get_executor()};
    two_threads run{watch};
    CHECK(run.complaints(4) == 0); // an execution context that was handed on
    CHECK(run.complaints(1) == 1);
    CHECK(run.complaints(20) == 0);
}

TEST_CASE("a thread pool without a strand is watched, a strand is not")
{
    asio::thread_pool pool{1};
    thread_watch of_pool{pool.get_executor()};
    CHECK(two_threads{of_pool}.complaints(20) == 1);
    thread_watch of_strand{asio::make_strand(pool)};
    CHECK(two_threads{of_strand}.complaints(20) == 0);
}
