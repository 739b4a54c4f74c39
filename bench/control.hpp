// A role's end of the line to its parent.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <optional>
#include <sstream>
#include <string>
#include <vector>

namespace bench {

/// A command: a word and numbers.
class command
{
public:
    explicit command(const std::string& line) : rest_{line} { rest_ >> word_; }

    const std::string& word() const noexcept { return word_; }

    double number()
    {
        double value = 0.0;
        rest_ >> value;
        return value;
    }

private:
    std::istringstream rest_;
    std::string word_;
};

class control
{
public:
    explicit control(const boost::asio::any_io_executor& executor);

    /// The next command's line; nothing when the parent has gone.
    boost::asio::awaitable<std::optional<std::string>> next();

private:
    boost::asio::posix::stream_descriptor input_;
    std::string buffer_;
};

/// Answers the command that was read last.
void answer(const std::vector<double>& numbers);

} // namespace bench
