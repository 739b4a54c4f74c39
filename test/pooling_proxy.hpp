// A real PgBouncer for a test, started and ended by it.
#pragma once

#include "run.hpp"
#include "server.hpp"

#include <dev/installation.hpp>

#include <doctest/doctest.h>

#include <libpq-fe.h>

#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

extern char** environ;

namespace perdure::test {

/// A PgBouncer in front of the server of this test program, with two sessions of it.
class pooling_proxy
{
public:
    explicit pooling_proxy(const std::string& mode = "transaction")
    {
        REQUIRE(::mkdtemp(directory_.data()) != nullptr);
        const std::string settings = directory_ + "/pgbouncer.ini";
        const auto user = dev::find_server_user();
        std::ofstream{settings} << "[databases]\npostgres = host=" << test_server().directory()
                                << " port=5432 dbname=postgres user=postgres\n[pgbouncer]\n"
                                << "unix_socket_dir = " << directory_
                                << "\nlisten_port = 6432\nauth_type = any\npool_mode = " << mode
                                << "\ndefault_pool_size = 2\nlogfile = " << directory_ << "/log\n"
                                << (user ? "user = " + user->name + "\n" : "");
        if (user) {
            REQUIRE(::chown(directory_.c_str(), user->uid, user->gid) == 0);
            REQUIRE(::chown(settings.c_str(), user->uid, user->gid) == 0);
        }
        std::string program = "/usr/sbin/pgbouncer";
        std::string quiet = "-q";
        std::string file = settings;
        char* const arguments[] = {program.data(), quiet.data(), file.data(), nullptr};
        REQUIRE_MESSAGE(
            ::posix_spawn(&process_, program.c_str(), nullptr, nullptr, arguments, ::environ) == 0,
            "PgBouncer is needed: ./dev setup test");
        const auto end = std::chrono::steady_clock::now() + deadline;
        while (PQping(dsn().c_str()) != PQPING_OK) {
            REQUIRE(std::chrono::steady_clock::now() < end);
            std::this_thread::sleep_for(std::chrono::milliseconds{5});
        }
    }
    pooling_proxy(const pooling_proxy&) = delete;
    pooling_proxy& operator=(const pooling_proxy&) = delete;
    ~pooling_proxy()
    {
        ::kill(process_, SIGTERM);
        ::waitpid(process_, nullptr, 0);
        std::filesystem::remove_all(directory_);
    }

    std::string dsn() const
    {
        return "host=" + directory_ + " port=6432 user=anybody dbname=postgres";
    }

private:
    std::string directory_ = "/var/tmp/perdure-pool-XXXXXX";
    pid_t process_ = 0;
};

} // namespace perdure::test
