#include <dev/supervisor_process.hpp>

#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <ctime>

namespace perdure::dev {

namespace {

// Descriptors of the supervisor: those of the owner are closed, or its pipes and sockets would
// never end.
constexpr int control_descriptor = 3;
constexpr int owner_descriptor = 4;
constexpr int children_descriptor = 5;

constexpr int grace_milliseconds = 10'000; // for a server whose owner is gone

int milliseconds_now() noexcept
{
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<int>(now.tv_sec % 1'000'000) * 1'000 +
           static_cast<int>(now.tv_nsec / 1'000'000);
}

/// Moves what is kept to its place and closes the rest. Copies first: the places may be taken.
void arrange_descriptors(const supervisor_orders& orders, int control, int owner) noexcept
{
    const int control_copy = ::fcntl(control, F_DUPFD, 16);
    const int owner_copy = owner < 0 ? -1 : ::fcntl(owner, F_DUPFD, 16);
    const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    const int log = ::open(orders.log, O_WRONLY | O_APPEND | O_CLOEXEC);
    ::dup2(null, STDIN_FILENO);
    ::dup2(log < 0 ? null : log, STDOUT_FILENO);
    ::dup2(log < 0 ? null : log, STDERR_FILENO);
    ::close(owner_descriptor);
    ::dup3(control_copy, control_descriptor, O_CLOEXEC);
    if (owner_copy >= 0) ::dup3(owner_copy, owner_descriptor, O_CLOEXEC);
    ::syscall(SYS_close_range, children_descriptor, ~0U, 0U);
}

/// Signals reach the supervisor only through its signalfd, and none but SIGKILL ends it. Handlers
/// of the owner must not run here: they write into pipes that both processes share.
int arrange_signals() noexcept
{
    struct sigaction standard = {};
    standard.sa_handler = SIG_DFL;
    for (int number = 1; number < NSIG; ++number) ::sigaction(number, &standard, nullptr);
    sigset_t children{};
    ::sigemptyset(&children);
    ::sigaddset(&children, SIGCHLD);
    return ::signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK);
}

class process
{
public:
    explicit process(const supervisor_orders& orders) noexcept : orders_{orders} {}

    void serve() noexcept
    {
        for (;;) {
            std::array<pollfd, 3> ready{{
                {.fd = control_descriptor, .events = POLLIN, .revents = 0},
                {.fd = owner_descriptor, .events = POLLIN, .revents = 0},
                {.fd = children_descriptor, .events = POLLIN, .revents = 0},
            }};
            if (::poll(ready.data(), ready.size(), -1) < 0 && errno != EINTR) return;
            if (ready[2].revents != 0) reap();
            if (ready[1].revents != 0 && (ready[1].revents & POLLNVAL) == 0) return;
            if (ready[0].revents != 0 && !obey()) return;
        }
    }

    /// Ends whatever runs and removes the temporary directory.
    void clean_up() noexcept
    {
        if (child_ != 0) {
            // What initdb has made so far, and a temporary cluster, are of no use to anybody.
            if (child_is_initdb_)
                ::kill(-child_, SIGKILL);
            else
                ::kill(child_, orders_.data_is_temporary ? SIGQUIT : SIGINT);
            const int start = milliseconds_now();
            while (child_ != 0 && milliseconds_now() - start < grace_milliseconds) {
                pollfd children{.fd = children_descriptor, .events = POLLIN, .revents = 0};
                ::poll(&children, 1, grace_milliseconds);
                reap();
            }
            if (child_ != 0) ::kill(child_, SIGKILL);
        }
        const pid_t removal = spawn(orders_.removal, privileges::kept);
        while (removal > 0 && ::waitpid(removal, nullptr, 0) < 0 && errno == EINTR) {}
    }

private:
    enum class privileges
    {
        kept,
        dropped
    };

    /// False once the owner has closed its end.
    bool obey() noexcept
    {
        supervisor_request request{};
        const ssize_t received = ::recv(control_descriptor, &request, sizeof request, 0);
        if (received < 0 && errno == EINTR) return true;
        if (received != sizeof request) return false;
        switch (request.task) {
        case supervisor_task::initialize:
            child_ = spawn(orders_.initdb, privileges::dropped);
            child_is_initdb_ = true;
            answer_when_gone(request.number);
            break;
        case supervisor_task::start:
            if (child_ == 0) child_ = spawn(orders_.postgres, privileges::dropped);
            child_is_initdb_ = false;
            answer(request.number);
            break;
        case supervisor_task::stop_fast:
            if (child_ != 0) ::kill(child_, SIGINT);
            answer_when_gone(request.number);
            break;
        case supervisor_task::stop_immediate:
            if (child_ != 0) ::kill(child_, SIGQUIT);
            answer_when_gone(request.number);
            break;
        case supervisor_task::look: answer(request.number); break;
        }
        return true;
    }

    void answer_when_gone(int number) noexcept
    {
        if (child_ == 0) return answer(number);
        owed_answer_ = number;
    }

    void answer(int number) noexcept
    {
        const supervisor_answer answer{.number = number, .pid = child_, .status = status_};
        ::send(control_descriptor, &answer, sizeof answer, MSG_NOSIGNAL);
    }

    void reap() noexcept
    {
        signalfd_siginfo ignored{};
        while (::read(children_descriptor, &ignored, sizeof ignored) > 0) {}
        int status = 0;
        for (pid_t gone = 0; (gone = ::waitpid(-1, &status, WNOHANG)) > 0;) {
            if (gone != child_) continue;
            child_ = 0;
            status_ = status;
            if (owed_answer_ != 0) answer(owed_answer_);
            owed_answer_ = 0;
        }
    }

    pid_t spawn(const program& what, privileges wanted) noexcept
    {
        const pid_t child = ::fork();
        if (child != 0) return child > 0 ? child : 0;
        ::setsid();
        sigset_t none{};
        ::sigemptyset(&none);
        ::sigprocmask(SIG_SETMASK, &none, nullptr);
        if (wanted == privileges::dropped && orders_.drop_privileges) {
            // The raw calls: libc's would signal threads that exist only in the owner.
            const bool dropped = ::syscall(SYS_setgroups, 0, nullptr) == 0 &&
                                 ::syscall(SYS_setgid, orders_.gid) == 0 &&
                                 ::syscall(SYS_setuid, orders_.uid) == 0;
            if (!dropped) ::_exit(126);
        }
        // If somebody kills the supervisor there is nobody to clean up, but the server shall not
        // stay. Set after the change of user, which would clear it.
        ::prctl(PR_SET_PDEATHSIG, SIGINT);
        ::execve(what.arguments[0], what.arguments, orders_.environment);
        ::_exit(127);
    }

    const supervisor_orders& orders_;
    pid_t child_ = 0; // initdb or the server; there is never more than one
    bool child_is_initdb_ = false;
    int owed_answer_ = 0; // its number; the owner waits for the child to be gone
    int status_ = 0;
};

} // namespace

void run_supervisor(const supervisor_orders& orders, int control, int owner) noexcept
{
    ::setsid(); // the terminal's Ctrl-C is for the owner
    ::prctl(PR_SET_NAME, "perdure-server");
    ::prctl(PR_SET_PDEATHSIG, 0);
    arrange_descriptors(orders, control, owner);
    ::dup3(arrange_signals(), children_descriptor, O_CLOEXEC);
    ::umask(S_IRWXG | S_IRWXO);
    if (::chdir("/") != 0) ::_exit(1);
    process self{orders};
    self.serve();
    self.clean_up();
    ::_exit(0);
}

} // namespace perdure::dev
