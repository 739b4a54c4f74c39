#include "server.hpp"

#include <cstdlib>
#include <random>

perdure::dev::server& test_server()
{
    static perdure::dev::server server;
    return server;
}

std::string test_dsn()
{
    const char* const named = std::getenv("PERDURE_DSN");
    return named ? named : test_server().dsn();
}

std::string unique_schema()
{
    static const unsigned run = std::random_device{}();
    static unsigned count = 0;
    return "test_" + std::to_string(run) + "_" + std::to_string(++count);
}
