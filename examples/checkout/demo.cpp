// The demo's program: finds a database, or starts one, and runs two workers and a client on it. In
// the middle one worker is killed with SIGKILL; at the end the books must be right.
#include "options.hpp"
#include "run.hpp"

#include <perdure/dev/server.hpp>
#include <perdure/workflow/defaults.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <cstdlib>
#include <exception>
#include <filesystem>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>

namespace {

namespace fs = std::filesystem;

/// A new directory for what the processes write to standard error.
std::string make_log_directory()
{
    // mkdtemp replaces the last six letters.
    std::string path = (fs::temp_directory_path() / "perdure-checkout-XXXXXX").string();
    if (!::mkdtemp(path.data())) throw std::runtime_error{"cannot make the directory " + path};
    return path;
}

/// Starts a private PostgreSQL unless the environment names a database, and tells the other
/// programs.
std::unique_ptr<perdure::dev::server> find_database()
{
    if (std::getenv("PERDURE_DSN")) return nullptr;
    auto own = std::make_unique<perdure::dev::server>();
    ::setenv("PERDURE_DSN", own->dsn().c_str(), 1);
    return own;
}

} // namespace

int main(int argc, char** argv)
try {
    const demo::options options = demo::parse_options(argc, argv);
    if (options.help) {
        std::cout << *options.help;
        return EXIT_SUCCESS;
    }
    demo::surroundings where;
    where.programs = fs::read_symlink("/proc/self/exe").parent_path().string();
    where.logs = make_log_directory();
    const bool named = std::getenv("PERDURE_DSN") != nullptr;
    std::cout << "database: "
              << (named ? "the one PERDURE_DSN names" : "a private PostgreSQL, removed at the end")
              << std::endl;
    const auto own = find_database();
    where.dsn = std::getenv("PERDURE_DSN");
    if (named)
        where.prefix =
            where.logs.substr(where.logs.size() - 6) + "-"; // it may know these orders already

    const fs::path command =
        fs::path{where.programs}.parent_path().parent_path() / "tools/perdure/perdure";
    std::cout << "look at it from elsewhere: "
              << (named ? "" : "PERDURE_DSN=\"" + where.dsn + "\" ") << command.string()
              << " list\n"
              << "a worker will be killed when " << options.kill_after * 100
              << " % of the orders are done (--seed " << options.seed << ")\n"
              << "a worker's lease is " << demo::lease.count()
              << " ms, to make it quick to watch; the default is "
              << perdure::defaults::lease.count() << " ms" << std::endl;

    int status = EXIT_FAILURE;
    {
        boost::asio::io_context io{1};
        demo::run run{io, options, where};
        std::exception_ptr failure;
        boost::asio::co_spawn(io, run.all(), [&](std::exception_ptr thrown, int value) {
            failure = thrown;
            status = value;
            io.stop();
        });
        io.run();
        if (failure) std::rethrow_exception(failure);
    }
    if (status != EXIT_FAILURE) fs::remove_all(where.logs);
    return status;
} catch (const std::invalid_argument& wrong) {
    std::cerr << "perdure_checkout_demo: " << wrong.what() << '\n';
    return 2;
} catch (const std::exception& failure) {
    std::cerr << "perdure_checkout_demo: " << failure.what() << '\n';
    return EXIT_FAILURE;
}
