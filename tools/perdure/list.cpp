#include "commands.hpp"
#include "json.hpp"
#include "session.hpp"
#include "table.hpp"
#include "text.hpp"

#include <boost/json/serialize.hpp>

#include <array>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

namespace perdure::tool {

namespace asio = boost::asio;

namespace {

using row = std::array<std::string, 7>;

row to_row(const store::instance_state& state)
{
    return {
        one_line(state.id),
        std::string{store::to_string(state.status)},
        state.workflow,
        state.queue,
        std::to_string(state.history_length),
        to_text(state.created_at),
        one_line(state.problem, 100)};
}

void print(const std::vector<store::instance_state>& instances)
{
    std::vector<row> rows{{"ID", "STATE", "WORKFLOW", "QUEUE", "EVENTS", "CREATED", "PROBLEM"}};
    for (const store::instance_state& each : instances) rows.push_back(to_row(each));
    print_table(rows);
}

asio::awaitable<void> print_list(client from, store::list_request what, format how)
{
    const std::vector<store::instance_state> instances = co_await from.list(std::move(what));
    if (how == format::text) {
        print(instances);
        co_return;
    }
    for (const store::instance_state& each : instances)
        std::cout << boost::json::serialize(to_json(each)) << '\n';
}

} // namespace

void list(const target& where, const store::list_request& what, format how)
{
    run_with_client(where, [&](client from) { return print_list(std::move(from), what, how); });
}

} // namespace perdure::tool
