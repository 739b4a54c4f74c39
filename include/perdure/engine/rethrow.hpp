// The completion handler for coroutines whose failure is the program's.
#pragma once

#include <exception>

namespace perdure {

/// For `boost::asio::co_spawn`: throws the exception that left the coroutine, so that it leaves
/// `io_context::run()`.
///
/// \code
/// asio::co_spawn(io, worker.run(), perdure::rethrow);
/// \endcode
inline constexpr auto rethrow = [](std::exception_ptr failure) {
    if (failure) std::rethrow_exception(failure);
};

} // namespace perdure
