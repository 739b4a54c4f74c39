// That a private server ends with its owner, whoever it is and however it ends.
#include "dev/query.hpp"

#include <perdure/dev/error.hpp>
#include <perdure/dev/server.hpp>

#include <doctest/doctest.h>

#include <poll.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>

namespace dev = perdure::dev;
namespace fs = std::filesystem;

namespace {

constexpr int deadline_milliseconds = 20'000;

/// A process that may end at any time; it is waited for without being its parent.
class watched_process
{
public:
    explicit watched_process(pid_t pid)
        : descriptor_{static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))}
    {}
    watched_process(const watched_process&) = delete;
    watched_process& operator=(const watched_process&) = delete;
    ~watched_process() { ::close(descriptor_); }

    bool ends() const
    {
        pollfd ended{.fd = descriptor_, .events = POLLIN, .revents = 0};
        return ::poll(&ended, 1, deadline_milliseconds) == 1;
    }

private:
    int descriptor_;
};

pid_t parent_of(pid_t pid)
{
    std::ifstream status{"/proc/" + std::to_string(pid) + "/status"};
    for (std::string word; status >> word;) {
        pid_t parent = 0;
        if (word == "PPid:" && status >> parent) return parent;
    }
    return 0;
}

[[noreturn]] void wait_to_be_killed()
{
    for (;;) ::pause();
}

/// A process that owns a server, and one forked from it. Both wait to be killed.
class forked_owner
{
public:
    forked_owner()
    {
        int ends[2];
        REQUIRE(::pipe(ends) == 0);
        pid_ = ::fork();
        if (pid_ == 0) own_a_server(ends[1]);
        ::close(ends[1]);
        const bool told = ::read(ends[0], &owned_, sizeof owned_) == sizeof owned_;
        ::close(ends[0]);
        REQUIRE(told);
    }
    forked_owner(const forked_owner&) = delete;
    forked_owner& operator=(const forked_owner&) = delete;
    ~forked_owner()
    {
        if (owned_.companion > 0) ::kill(owned_.companion, SIGKILL);
    }

    void end_by(int signal) const
    {
        ::kill(pid_, signal);
        ::waitpid(pid_, nullptr, 0);
    }

    pid_t server() const { return owned_.server; }
    std::string directory() const { return owned_.directory.data(); }

private:
    struct possessions
    {
        pid_t server = 0;
        pid_t companion = 0; ///< has a copy of every descriptor of the owner
        std::array<char, 64> directory{};
    };

    [[noreturn]] static void own_a_server(int report)
    try {
        std::signal(SIGTERM, SIG_DFL); // not the test framework's handler
        dev::server server;
        possessions self{.server = server.pid()};
        server.directory().copy(self.directory.data(), self.directory.size() - 1);
        self.companion = ::fork();
        if (self.companion == 0) wait_to_be_killed();
        if (::write(report, &self, sizeof self) != sizeof self) std::_Exit(1);
        wait_to_be_killed();
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
        std::_Exit(1);
    }

    pid_t pid_ = 0;
    possessions owned_;
};

/// Runs `action` in a process of its own, as `user`.
/// \returns its exit status.
int run_as(const passwd& user, const std::function<int()>& action)
{
    const pid_t child = ::fork();
    if (child == 0) {
        if (::setgid(user.pw_gid) != 0 || ::setuid(user.pw_uid) != 0) std::_Exit(100);
        int outcome = 101;
        try {
            outcome = action();
        } catch (const std::exception& error) {
            std::fprintf(stderr, "%s\n", error.what());
        }
        std::_Exit(outcome);
    }
    int status = -1;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

uid_t user_of(pid_t process)
{
    struct stat status = {};
    REQUIRE(::stat(("/proc/" + std::to_string(process)).c_str(), &status) == 0);
    return status.st_uid;
}

} // namespace

TEST_CASE("a server leaves no process and no file behind")
{
    std::string directory;
    pid_t server = 0;
    pid_t supervisor = 0;
    {
        dev::server owned;
        directory = owned.directory();
        server = owned.pid();
        supervisor = parent_of(server);
        REQUIRE(fs::exists(directory));
    }
    CHECK(::kill(server, 0) != 0);
    CHECK(::kill(supervisor, 0) != 0);
    CHECK_FALSE(fs::exists(directory));
}

TEST_CASE("a server whose owner is killed stops and takes its directory with it")
{
    const forked_owner owner;
    REQUIRE(fs::exists(owner.directory()));
    const watched_process server{owner.server()};
    const watched_process supervisor{parent_of(owner.server())};
    owner.end_by(SIGKILL);
    CHECK(server.ends());
    REQUIRE(supervisor.ends());
    CHECK_FALSE(fs::exists(owner.directory()));
}

TEST_CASE("a supervisor is not ended by the signals that end its owner")
{
    const forked_owner owner;
    const pid_t supervisor_process = parent_of(owner.server());
    const watched_process supervisor{supervisor_process};
    for (const int signal : {SIGHUP, SIGINT, SIGTERM}) ::kill(supervisor_process, signal);
    owner.end_by(SIGTERM);
    REQUIRE(supervisor.ends());
    CHECK_FALSE(fs::exists(owner.directory()));
}

TEST_CASE("a server whose supervisor is killed stops, and its owner is told")
{
    dev::server server;
    const std::string directory = server.directory();
    const watched_process process{server.pid()};
    ::kill(parent_of(server.pid()), SIGKILL);
    CHECK(process.ends());
    CHECK_THROWS_WITH_AS(server.start(), doctest::Contains("killed"), dev::error);
    fs::remove_all(directory);
}

TEST_CASE("a server of root runs as an unprivileged user, one of anybody else as that user")
{
    dev::server server;
    CHECK(user_of(server.pid()) != 0);
    if (::geteuid() != 0) CHECK(user_of(server.pid()) == ::geteuid());
}

TEST_CASE("a server works for root and for an unprivileged user")
{
    const auto use = [] {
        dev::server server;
        return query(server.dsn(), "select 40 + 2") == "42" ? 0 : 1;
    };
    CHECK(use() == 0);
    if (::geteuid() != 0) return; // only root can become somebody else
    const passwd* const nobody = ::getpwnam("nobody");
    REQUIRE(nobody != nullptr);
    CHECK(run_as(*nobody, use) == 0);
}
