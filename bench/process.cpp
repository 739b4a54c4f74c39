#include "process.hpp"

#include "interrupt.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace bench {

namespace {

constexpr const char* this_program = "/proc/self/exe";

[[noreturn]] void throw_errno(const std::string& what)
{
    throw std::system_error{errno, std::generic_category(), what};
}

/// What becomes of the child between fork and exec; only what is safe to call there.
[[noreturn]] void become(char* const* arguments, int input, int output, pid_t parent) noexcept
{
    ::setpgid(0, 0); // Ctrl-C is for the parent, who ends its children
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() == parent && ::dup2(input, STDIN_FILENO) >= 0 &&
        ::dup2(output, STDOUT_FILENO) >= 0)
        ::execv(this_program, arguments);
    ::_exit(127);
}

/// The fields of /proc/<pid>/stat from the state on, which is number 3 in its manual.
std::vector<std::string> stat_fields(pid_t process)
{
    std::ifstream file{"/proc/" + std::to_string(process) + "/stat"};
    std::string line;
    std::getline(file, line);
    const std::size_t name_ends = line.rfind(')'); // the name may hold anything
    if (name_ends == line.npos) return {};
    std::istringstream rest{line.substr(name_ends + 1)};
    return {std::istream_iterator<std::string>{rest}, std::istream_iterator<std::string>{}};
}

constexpr std::size_t first_field = 3;
constexpr std::size_t parent_field = 4;
constexpr std::size_t user_time_field = 14;
constexpr std::size_t system_time_field = 15;
constexpr std::size_t reaped_user_time_field = 16;
constexpr std::size_t reaped_system_time_field = 17;

double ticks(const std::vector<std::string>& fields, std::size_t number)
{
    const std::size_t index = number - first_field;
    return index < fields.size() ? std::stod(fields[index]) : 0.0;
}

double own_seconds(const std::vector<std::string>& fields)
{
    static const auto per_second = static_cast<double>(::sysconf(_SC_CLK_TCK));
    return (ticks(fields, user_time_field) + ticks(fields, system_time_field)) / per_second;
}

double reaped_seconds(const std::vector<std::string>& fields)
{
    static const auto per_second = static_cast<double>(::sysconf(_SC_CLK_TCK));
    return (ticks(fields, reaped_user_time_field) + ticks(fields, reaped_system_time_field)) /
           per_second;
}

} // namespace

process::process(std::vector<std::string> arguments) : role_{arguments.at(0)}
{
    std::string name = "perdure_bench";
    std::vector<char*> pointers{name.data()};
    for (std::string& argument : arguments) pointers.push_back(argument.data());
    pointers.push_back(nullptr);

    int commands[2] = {};
    int answers[2] = {};
    if (::pipe2(commands, O_CLOEXEC) != 0 || ::pipe2(answers, O_CLOEXEC) != 0)
        throw_errno("cannot make a pipe to a process");
    input_ = commands[1];
    output_ = answers[0];
    const pid_t parent = ::getpid();
    pid_ = ::fork();
    if (pid_ == 0) become(pointers.data(), commands[0], answers[1], parent);
    const int reason = errno;
    ::close(commands[0]);
    ::close(answers[1]);
    if (pid_ < 0) {
        ::close(input_);
        ::close(output_);
        throw std::system_error{reason, std::generic_category(), "cannot start a process"};
    }
}

process::process(process&& other) noexcept
    : role_{std::move(other.role_)},
      buffer_{std::move(other.buffer_)},
      pid_{std::exchange(other.pid_, -1)},
      input_{std::exchange(other.input_, -1)},
      output_{std::exchange(other.output_, -1)}
{}

process& process::operator=(process&& other) noexcept
{
    std::swap(role_, other.role_);
    std::swap(buffer_, other.buffer_);
    std::swap(pid_, other.pid_);
    std::swap(input_, other.input_);
    std::swap(output_, other.output_);
    return *this;
}

process::~process()
{
    kill();
    if (input_ >= 0) ::close(input_);
    if (output_ >= 0) ::close(output_);
}

void process::kill() noexcept
{
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {}
    pid_ = -1;
}

void process::send(std::string_view command)
{
    const std::string line = std::string{command} + "\n";
    if (::write(input_, line.data(), line.size()) != static_cast<ssize_t>(line.size()))
        throw std::runtime_error{"the " + role_ + " process has ended"};
}

std::vector<double> process::answer(std::chrono::duration<double> patience)
{
    using clock = std::chrono::steady_clock;
    const auto deadline = clock::now() + std::chrono::ceil<clock::duration>(patience);
    std::size_t end = 0;
    while ((end = buffer_.find('\n')) == buffer_.npos) {
        if (wait_readable(output_, deadline) == readiness::timed_out)
            throw std::runtime_error{"the " + role_ + " process does not answer"};
        char bytes[65536];
        const ssize_t count = ::read(output_, bytes, sizeof bytes);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) throw std::runtime_error{"the " + role_ + " process has ended"};
        buffer_.append(bytes, static_cast<std::size_t>(count));
    }
    const std::string line = buffer_.substr(0, end);
    buffer_.erase(0, end + 1);

    std::vector<double> numbers;
    const char* at = line.data();
    const char* const last = at + line.size();
    while (at != last) {
        if (*at == ' ') {
            ++at;
            continue;
        }
        double number = 0.0;
        const auto [next, failed] = std::from_chars(at, last, number);
        if (failed != std::errc{})
            throw std::runtime_error{"the " + role_ + " process says: " + line};
        numbers.push_back(number);
        at = next;
    }
    return numbers;
}

std::vector<double> process::ask(std::string_view command, std::chrono::duration<double> patience)
{
    send(command);
    return answer(patience);
}

double processor_seconds(pid_t process)
{
    return own_seconds(stat_fields(process));
}

double processor_seconds_of_family(pid_t process)
{
    const std::vector<std::string> head = stat_fields(process);
    double total = own_seconds(head) + reaped_seconds(head);
    for (const auto& entry : std::filesystem::directory_iterator{"/proc"}) {
        const std::string name = entry.path().filename();
        pid_t child = 0;
        const auto [end, failed] = std::from_chars(name.data(), name.data() + name.size(), child);
        if (failed != std::errc{} || end != name.data() + name.size()) continue;
        const std::vector<std::string> fields = stat_fields(child);
        if (fields.size() > parent_field - first_field &&
            fields[parent_field - first_field] == std::to_string(process))
            total += own_seconds(fields);
    }
    return total;
}

} // namespace bench
