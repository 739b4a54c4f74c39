// The processes of a benchmark: this very program, started again in another role. A process is spoken
// to in lines: a command goes to its standard input, one line of numbers comes back.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace bench {

/// Lives no longer than this object, and no longer than the process that started it.
class process
{
public:
    /// \param arguments the role, and what the role is told.
    explicit process(std::vector<std::string> arguments);
    process(process&& other) noexcept;
    process& operator=(process&& other) noexcept;
    ~process();

    void send(std::string_view command);

    /// The answer to the command that was sent. \throws std::runtime_error the process has ended, or
    /// does not answer, or answers with an error.
    std::vector<double> answer(std::chrono::duration<double> patience);

    std::vector<double> ask(
        std::string_view command,
        std::chrono::duration<double> patience = std::chrono::seconds{60});

    /// SIGKILL; returns when it is gone.
    void kill() noexcept;

    pid_t pid() const noexcept { return pid_; }

private:
    std::string role_;
    std::string buffer_;
    pid_t pid_ = -1;
    int input_ = -1;
    int output_ = -1;
};

/// Processor time that a process has used so far, in seconds.
double processor_seconds(pid_t process);

/// The same of a process and all that it started, those included that have ended.
double processor_seconds_of_family(pid_t process);

} // namespace bench
