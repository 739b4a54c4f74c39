// A real PgBouncer for a test, started and ended by it.
#pragma once

#include "run.hpp"
#include "server.hpp"
#include "temporary_directory.hpp"

#include <dev/installation.hpp>

#include <doctest/doctest.h>

#include <libpq-fe.h>

#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

extern char** environ;

namespace perdure::test {

/// A PgBouncer in front of the server of this test program, with two sessions of it.
class pooling_proxy
{
public:
    explicit pooling_proxy(const std::string& mode = "transaction")
    {
        const std::string& own = directory_.path();
        const std::string settings = own + "/pgbouncer.ini";
        const auto user = dev::find_server_user();
        std::ofstream{settings} << "[databases]\npostgres = host=" << test_server().directory()
                                << " port=5432 dbname=postgres user=postgres\n[pgbouncer]\n"
                                << "unix_socket_dir = " << own
                                << "\nlisten_port = 6432\nauth_type = any\npool_mode = " << mode
                                << "\ndefault_pool_size = 2\nlogfile = " << own << "/log\n"
                                << (user ? "user = " + user->name + "\n" : "");
        if (user) {
            REQUIRE(::chown(own.c_str(), user->uid, user->gid) == 0);
            REQUIRE(::chown(settings.c_str(), user->uid, user->gid) == 0);
        }
        process_.start({"/usr/sbin/pgbouncer", "-q", settings});
        const auto end = std::chrono::steady_clock::now() + deadline;
        while (PQping(dsn().c_str()) != PQPING_OK) {
            REQUIRE(std::chrono::steady_clock::now() < end);
            std::this_thread::sleep_for(std::chrono::milliseconds{5});
        }
    }

    std::string dsn() const
    {
        return "host=" + directory_.path() + " port=6432 user=anybody dbname=postgres";
    }

private:
    /// Ended at the end, if it was started.
    class child_process
    {
    public:
        child_process() = default;
        child_process(const child_process&) = delete;
        child_process& operator=(const child_process&) = delete;
        ~child_process()
        {
            if (process_ == 0) return;
            ::kill(process_, SIGTERM);
            ::waitpid(process_, nullptr, 0);
        }

        void start(std::vector<std::string> words)
        {
            std::vector<char*> arguments;
            for (std::string& word : words) arguments.push_back(word.data());
            arguments.push_back(nullptr);
            pid_t started = 0;
            REQUIRE_MESSAGE(
                ::posix_spawn(
                    &started, arguments[0], nullptr, nullptr, arguments.data(), ::environ) == 0,
                "PgBouncer is needed: ./dev setup test");
            process_ = started;
        }

    private:
        pid_t process_ = 0;
    };

    temporary_directory directory_; // outlives the process
    child_process process_;
};

} // namespace perdure::test
