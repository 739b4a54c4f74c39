#include "interrupt.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <system_error>

namespace bench {

namespace {

/// Written to by the handler and never read: once interrupted, every wait ends.
std::array<int, 2> told{-1, -1};

extern "C" void tell(int)
{
    const int kept = errno;
    [[maybe_unused]] const auto written = ::write(told[1], "!", 1);
    errno = kept;
}

} // namespace

interrupted::interrupted() : std::runtime_error{"interrupted"} {}

void heed_interrupts()
{
    if (::pipe2(told.data(), O_CLOEXEC | O_NONBLOCK) != 0)
        throw std::system_error{errno, std::generic_category(), "cannot make a pipe"};
    struct sigaction action = {};
    action.sa_handler = tell;
    action.sa_flags = SA_RESTART;
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
        struct sigaction before = {};
        ::sigaction(signal, nullptr, &before);
        // One that was ignored stays ignored: that is what nohup is for.
        if (before.sa_handler != SIG_IGN) ::sigaction(signal, &action, nullptr);
    }
    std::signal(SIGPIPE, SIG_IGN); // a child that died is noticed where it is spoken to
}

readiness wait_readable(int descriptor, std::chrono::steady_clock::time_point deadline)
{
    for (;;) {
        using std::chrono::milliseconds;
        // Rounded up, so that it is not asked again and again in the last millisecond.
        const auto left =
            std::chrono::ceil<milliseconds>(deadline - std::chrono::steady_clock::now());
        const auto bounded = std::clamp<milliseconds>(left, milliseconds{0}, milliseconds{1000});
        std::array<pollfd, 2> both{pollfd{told[0], POLLIN, 0}, pollfd{descriptor, POLLIN, 0}};
        const int ready = ::poll(both.data(), both.size(), static_cast<int>(bounded.count()));
        if (ready > 0 && both[0].revents != 0) throw interrupted{};
        if (ready > 0) return readiness::readable;
        if (left <= bounded && ready == 0) return readiness::timed_out;
    }
}

void pause(std::chrono::duration<double> duration)
{
    using clock = std::chrono::steady_clock;
    wait_readable(-1, clock::now() + std::chrono::ceil<clock::duration>(duration));
}

} // namespace bench
