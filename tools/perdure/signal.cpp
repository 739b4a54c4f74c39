#include "commands.hpp"
#include "session.hpp"

#include <perdure/workflow/checks.hpp>
#include <perdure/workflow/error.hpp>
#include <perdure/workflow/payload.hpp>

#include <iostream>
#include <string>
#include <utility>

namespace perdure::tool {

namespace asio = boost::asio;

namespace {

asio::awaitable<void> send(client to, signal_request what)
{
    const untyped_instance instance = to.get(what.id);
    const payload value = payload::from_text(what.value);
    try {
        check_json("the value of signal " + what.name, value);
    } catch (const error& no_json) {
        throw error{
            no_json.kind(),
            std::string{no_json.what()} + "; a text needs its quotes: '\"" + what.value + "\"'"};
    }
    co_await instance.signal(what.name, value);
    std::cout << "signal " << what.name << " delivered to " << what.id << '\n';
}

} // namespace

void signal(const target& where, const signal_request& what)
{
    run_with_client(where, [&](client to) { return send(std::move(to), what); });
}

} // namespace perdure::tool
