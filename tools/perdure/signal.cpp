#include "commands.hpp"
#include "session.hpp"

#include <perdure/workflow/payload.hpp>

#include <iostream>
#include <utility>

namespace perdure::tool {

namespace asio = boost::asio;

namespace {

asio::awaitable<void> send(client to, signal_request what)
{
    const untyped_instance instance = to.get(what.id);
    co_await instance.signal(what.name, payload::from_text(what.value));
    std::cout << "signal " << what.name << " delivered to " << what.id << '\n';
}

} // namespace

void signal(const target& where, const signal_request& what)
{
    run_with_client(where, [&](client to) { return send(std::move(to), what); });
}

} // namespace perdure::tool
