#include "commands.hpp"
#include "session.hpp"
#include "text.hpp"

#include <iostream>
#include <string>
#include <utility>

namespace perdure::tool {

namespace asio = boost::asio;

namespace {

asio::awaitable<void> ask(client to, std::string id)
{
    const untyped_instance instance = to.get(std::move(id));
    co_await instance.cancel();
    std::cout << "asked " << one_line(instance.id()) << " to end\n";
}

} // namespace

void cancel(const target& where, const std::string& id)
{
    run_with_client(where, [&](client to) { return ask(std::move(to), id); });
}

} // namespace perdure::tool
