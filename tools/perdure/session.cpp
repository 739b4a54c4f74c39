#include "session.hpp"

#include <perdure/engine/engine.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <exception>
#include <utility>

namespace perdure::tool {

namespace asio = boost::asio;

namespace {

void run_on(asio::io_context& io, asio::awaitable<void> coroutine)
{
    std::exception_ptr failure;
    asio::co_spawn(io, std::move(coroutine), [&](std::exception_ptr thrown) { failure = thrown; });
    io.run();
    if (failure) std::rethrow_exception(failure);
}

} // namespace

void run(asio::awaitable<void> coroutine)
{
    asio::io_context io{1};
    run_on(io, std::move(coroutine));
}

void run_with_client(
    const target& where, const std::function<asio::awaitable<void>(client)>& command)
{
    asio::io_context io{1};
    engine_options options;
    options.schema(where.schema)
        .pool_size(1)
        .prepared_statements(false) // none is sent twice, and a proxy may pool transactions
        .log({});                   // what goes wrong is this command's only error
    engine on{io, where.dsn, std::move(options)};
    run_on(io, command(client{on}));
}

} // namespace perdure::tool
