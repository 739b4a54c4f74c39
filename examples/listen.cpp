// Prints what is notified on a channel until Ctrl-C, whatever happens to the server meanwhile.
//
//     listen [channel] [connection string]
//     psql -c "notify greetings, 'hello'"      in another window
//
// The connection string may also stand in PERDURE_DSN or PG… variables.
#include <perdure/pg/listener.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>

#include <csignal>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <string>

namespace asio = boost::asio;
namespace pg = perdure::pg;

int main(int argc, char** argv)
try {
    const char* environment = std::getenv("PERDURE_DSN");
    const std::string dsn = argc > 2 ? argv[2] : environment ? environment : "";
    const std::string channel = argc > 1 ? argv[1] : "greetings";

    asio::io_context io{1};
    pg::listener_options options{pg::connection_options{dsn}};
    pg::listener listener{io.get_executor(), options.channels({channel})};
    listener.on_notification([](const pg::notification& n) {
        std::cout << n.channel << ": " << n.payload << std::endl;
    });
    listener.on_gap([&] { // what was notified before this is lost: look for it here
        std::cout << "listening to " << channel << std::endl;
    });
    listener.on_down([](const pg::error& cause) {
        std::cerr << "listen: " << cause.what() << " (trying again)" << std::endl;
    });
    asio::signal_set stop{io, SIGINT, SIGTERM};
    stop.async_wait([&](auto, int) { listener.stop(); });
    asio::co_spawn(io, listener.run(), [&](std::exception_ptr failure) {
        stop.cancel();
        if (failure) std::rethrow_exception(failure); // no channel name, say
    });
    io.run();
} catch (const std::exception& e) {
    std::cerr << "listen: " << e.what() << '\n';
    return 1;
}
