// A process that the demo starts, reads and kills.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

namespace demo {

/// A child process. It is killed when this object is destroyed, and also when this process ends in
/// any other way, by SIGKILL too. It is not in the terminal's foreground process group: Ctrl-C
/// reaches only its parent.
class child
{
public:
    /// Starts it. \param command path of the program, then its arguments. \param errors file that
    /// its standard error is appended to. Throws std::system_error.
    child(
        boost::asio::any_io_executor executor, std::vector<std::string> command,
        const std::string& errors);
    child(const child&) = delete;
    child& operator=(const child&) = delete;
    ~child();

    pid_t pid() const noexcept { return pid_; }

    /// True until `read_line` has returned nothing.
    bool running() const noexcept { return running_; }

    /// Sends a signal; does nothing once it has ended.
    void kill(int signal) const noexcept;

    /// The next line of its standard output, without its end; nothing when it has ended.
    boost::asio::awaitable<std::optional<std::string>> read_line();

    /// How it ended, once it has: `exit status 1`, `signal 9`.
    std::string end() const;

    /// True if it ended by itself with status 0.
    bool succeeded() const noexcept;

private:
    void reap() noexcept;

    boost::asio::posix::stream_descriptor output_;
    std::string buffer_;
    pid_t pid_ = 0;
    int status_ = 0;
    bool running_ = true;
};

} // namespace demo
