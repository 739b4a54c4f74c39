#include "child.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <csignal>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace demo {

namespace asio = boost::asio;

namespace {

/// What becomes of the child between fork and exec; only what is safe to call there.
[[noreturn]] void become(char* const* arguments, int output, int errors, pid_t parent) noexcept
{
    ::setpgid(0, 0);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() == parent && ::dup2(output, STDOUT_FILENO) >= 0 &&
        ::dup2(errors, STDERR_FILENO) >= 0)
        ::execv(arguments[0], arguments);
    ::_exit(127);
}

[[noreturn]] void throw_errno(const std::string& what)
{
    throw std::system_error{errno, std::generic_category(), what};
}

} // namespace

child::child(
    asio::any_io_executor executor, std::vector<std::string> command, const std::string& errors)
    : output_{executor}
{
    std::vector<char*> arguments;
    for (std::string& argument : command) arguments.push_back(argument.data());
    arguments.push_back(nullptr);

    if (::access(command.front().c_str(), X_OK) != 0) throw_errno("cannot run " + command.front());
    const int log = ::open(errors.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (log < 0) throw_errno("cannot write " + errors);
    int ends[2] = {};
    if (::pipe2(ends, O_CLOEXEC) != 0) throw_errno("cannot make a pipe");
    output_.assign(ends[0]);

    const pid_t parent = ::getpid();
    pid_ = ::fork();
    if (pid_ < 0) throw_errno("cannot start " + command.front());
    if (pid_ == 0) become(arguments.data(), ends[1], log, parent);
    ::close(ends[1]);
    ::close(log);
}

child::~child()
{
    if (!running_) return;
    kill(SIGKILL);
    reap();
}

void child::kill(int signal) const noexcept
{
    if (running_) ::kill(pid_, signal);
}

asio::awaitable<std::optional<std::string>> child::read_line()
{
    if (!running_) co_return std::nullopt;
    boost::system::error_code end;
    const std::size_t length = co_await asio::async_read_until(
        output_, asio::dynamic_buffer(buffer_), '\n',
        asio::redirect_error(asio::use_awaitable, end));
    if (end) {
        reap();
        co_return std::nullopt;
    }
    std::string line = buffer_.substr(0, length - 1);
    buffer_.erase(0, length);
    co_return line;
}

void child::reap() noexcept
{
    while (::waitpid(pid_, &status_, 0) < 0 && errno == EINTR) {}
    running_ = false;
}

std::string child::end() const
{
    if (WIFSIGNALED(status_)) return "signal " + std::to_string(WTERMSIG(status_));
    return "exit status " + std::to_string(WEXITSTATUS(status_));
}

bool child::succeeded() const noexcept
{
    return !running_ && WIFEXITED(status_) && WEXITSTATUS(status_) == 0;
}

} // namespace demo
