#include "control.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <unistd.h>

#include <cstdio>

namespace bench {

namespace asio = boost::asio;

control::control(const asio::any_io_executor& executor) : input_{executor, ::dup(STDIN_FILENO)} {}

asio::awaitable<std::optional<std::string>> control::next()
{
    boost::system::error_code end;
    const std::size_t length = co_await asio::async_read_until(
        input_, asio::dynamic_buffer(buffer_), '\n',
        asio::redirect_error(asio::use_awaitable, end));
    if (end) co_return std::nullopt;
    std::string line = buffer_.substr(0, length - 1);
    buffer_.erase(0, length);
    co_return line;
}

void answer(const std::vector<double>& numbers)
{
    for (const double each : numbers) std::printf("%.17g ", each);
    std::printf("\n");
    std::fflush(stdout);
}

} // namespace bench
