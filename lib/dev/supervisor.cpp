#include <dev/supervisor.hpp>

#include <perdure/dev/error.hpp>

#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <string_view>
#include <utility>

namespace perdure::dev {

namespace {

/// A null-terminated array of pointers to texts, as execve wants it.
class argument_vector
{
public:
    explicit argument_vector(std::vector<std::string> texts) : texts_{std::move(texts)}
    {
        for (std::string& text : texts_) pointers_.push_back(text.data());
        pointers_.push_back(nullptr);
    }

    char* const* data() const noexcept { return pointers_.data(); }

private:
    std::vector<std::string> texts_;
    std::vector<char*> pointers_;
};

/// The owner's environment without what would change the server: its PG variables and its language.
std::vector<std::string> server_environment()
{
    std::vector<std::string> kept{"LC_ALL=C"};
    for (char** entry = environ; *entry; ++entry) {
        const std::string_view text = *entry;
        if (!text.starts_with("PG") && !text.starts_with("LC_") && !text.starts_with("LANG"))
            kept.emplace_back(text);
    }
    return kept;
}

[[noreturn]] void fail(std::string_view call)
{
    throw error{
        errc::supervisor_failed,
        "the process that holds the private PostgreSQL cannot be started: " + std::string{call} +
            ": " + std::strerror(errno)};
}

constexpr std::chrono::seconds prompt{10}; // for what is answered at once

constexpr std::string_view gone =
    "the process that holds the private PostgreSQL (\"perdure-server\") is gone; it must have been "
    "killed: make a new server";

} // namespace

supervisor::supervisor(const supervisor_plan& plan)
{
    const argument_vector initdb{plan.initdb};
    const argument_vector postgres{plan.postgres};
    const argument_vector removal{{"/bin/rm", "-rf", "--", plan.directory}};
    const argument_vector environment{server_environment()};
    const supervisor_orders orders{
        .initdb = {initdb.data()},
        .postgres = {postgres.data()},
        .removal = {removal.data()},
        .environment = environment.data(),
        .log = plan.log.c_str(),
        .drop_privileges = plan.drop_privileges,
        .uid = plan.uid,
        .gid = plan.gid,
        .data_is_temporary = plan.data_is_temporary};

    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) fail("socketpair");
    // The closing of the socket is not enough: a process forked from the owner would keep it open.
    const int owner = static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0));

    sigset_t all;
    sigset_t before;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before);
    process_ = ::fork();
    if (process_ == 0) {
        ::close(ends[0]);
        run_supervisor(orders, ends[1], owner);
    }
    const int fork_error = errno;
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    ::close(ends[1]);
    if (owner >= 0) ::close(owner);
    control_ = ends[0];
    if (process_ < 0) {
        ::close(control_);
        errno = fork_error;
        fail("fork");
    }
}

supervisor::~supervisor()
{
    ::close(control_);
    while (::waitpid(process_, nullptr, 0) < 0 && errno == EINTR) {}
}

int supervisor::initialize(std::chrono::milliseconds patience)
{
    if (const auto answer = ask(supervisor_task::initialize, patience)) return answer->status;
    throw error{
        errc::initialization_failed, "initdb has not finished after " +
                                         std::to_string(patience.count()) +
                                         " ms; give the server more patience or a faster disk"};
}

pid_t supervisor::start()
{
    if (const auto answer = ask(supervisor_task::start, prompt)) return answer->pid;
    throw error{errc::supervisor_failed, std::string{gone}};
}

void supervisor::stop(stop_mode mode, std::chrono::milliseconds patience)
{
    const auto task =
        mode == stop_mode::fast ? supervisor_task::stop_fast : supervisor_task::stop_immediate;
    if (ask(task, patience)) return;
    throw error{
        errc::stop_failed, "the private PostgreSQL has not stopped after " +
                               std::to_string(patience.count()) +
                               " ms; give it more patience, or stop it with stop_mode::immediate"};
}

pid_t supervisor::running()
{
    if (const auto answer = ask(supervisor_task::look, prompt)) return answer->pid;
    throw error{errc::supervisor_failed, std::string{gone}};
}

std::optional<supervisor_answer> supervisor::ask(
    supervisor_task task, std::chrono::milliseconds patience)
{
    using clock = std::chrono::steady_clock;
    const supervisor_request request{.task = task, .number = ++requests_};
    if (::send(control_, &request, sizeof request, MSG_NOSIGNAL) != sizeof request)
        throw error{errc::supervisor_failed, std::string{gone}};
    const clock::time_point deadline = clock::now() + patience;
    for (;;) {
        const auto left =
            std::chrono::ceil<std::chrono::milliseconds>(deadline - clock::now()).count();
        pollfd ready{.fd = control_, .events = POLLIN, .revents = 0};
        const int count = ::poll(&ready, 1, static_cast<int>(std::max<decltype(left)>(left, 0)));
        if (count < 0 && errno == EINTR) continue;
        if (count == 0) return std::nullopt;
        supervisor_answer answer;
        if (::recv(control_, &answer, sizeof answer, 0) != sizeof answer)
            throw error{errc::supervisor_failed, std::string{gone}};
        if (answer.number == request.number) return answer; // others were given up on earlier
    }
}

} // namespace perdure::dev
