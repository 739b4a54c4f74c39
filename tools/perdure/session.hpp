// From a command to its database and back: one coroutine, run to its end.
#pragma once

#include "commands.hpp"

#include <perdure/client/client.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <functional>

namespace perdure::tool {

/// Runs a coroutine on this thread; throws what it threw.
void run(boost::asio::awaitable<void> coroutine);

/// Runs a coroutine that needs a client.
void run_with_client(
    const target& where, const std::function<boost::asio::awaitable<void>(client)>& command);

} // namespace perdure::tool
