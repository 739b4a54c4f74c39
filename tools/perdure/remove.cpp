#include "commands.hpp"
#include "session.hpp"
#include "text.hpp"

#include <iostream>
#include <string>
#include <utility>
#include <vector>

namespace perdure::tool {

namespace asio = boost::asio;

namespace {

/// One by one, so that what was done before the first error is known.
asio::awaitable<void> remove_each(client from, std::vector<std::string> ids)
{
    for (const std::string& id : ids) {
        co_await from.remove(id);
        std::cout << "removed " << one_line(id) << '\n';
    }
}

} // namespace

void remove(const target& where, const std::vector<std::string>& ids)
{
    run_with_client(where, [&](client from) { return remove_each(std::move(from), ids); });
}

} // namespace perdure::tool
