#include "commands.hpp"
#include "json.hpp"
#include "session.hpp"
#include "text.hpp"

#include <boost/json/serialize.hpp>

#include <algorithm>
#include <array>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

namespace perdure::tool {

namespace asio = boost::asio;

namespace {

constexpr std::size_t column_count = 7;
using row = std::array<std::string, column_count>;

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

void print_table(const std::vector<store::instance_state>& instances)
{
    std::vector<row> rows{{"ID", "STATE", "WORKFLOW", "QUEUE", "EVENTS", "CREATED", "PROBLEM"}};
    for (const store::instance_state& each : instances) rows.push_back(to_row(each));
    std::array<std::size_t, column_count> widths{};
    for (const row& each : rows)
        for (std::size_t i = 0; i < column_count; ++i)
            widths[i] = std::max(widths[i], columns(each[i]));
    for (const row& each : rows) {
        std::string line;
        for (std::size_t i = 0; i < column_count; ++i)
            line += each[i] + std::string(widths[i] - columns(each[i]) + 2, ' ');
        line.erase(line.find_last_not_of(' ') + 1);
        std::cout << line << '\n';
    }
}

asio::awaitable<void> print_list(client from, store::list_request what, format how)
{
    const std::vector<store::instance_state> instances = co_await from.list(std::move(what));
    if (how == format::text) {
        print_table(instances);
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
