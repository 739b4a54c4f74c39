#include "commands.hpp"
#include "json.hpp"
#include "session.hpp"
#include "table.hpp"
#include "text.hpp"

#include <perdure/workflow/event.hpp>
#include <perdure/workflow/failure_info.hpp>

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

/// An instance, and why it failed if it did.
struct listed
{
    store::instance_state state;
    std::string failure;
};

/// The failure stands in the last event of the history.
asio::awaitable<std::string> failure_of(client from, store::instance_state state)
{
    const store::history_page last{state.history_length - 1, 1};
    const std::vector<event> events = co_await from.get(state).history(state.run, last);
    if (events.empty() || events.back().type != event_type::workflow_failed)
        co_return std::string{}; // removed meanwhile
    co_return describe(decode_failure(events.back().data));
}

asio::awaitable<std::vector<listed>> read(client from, store::list_request what)
{
    std::vector<store::instance_state> states = co_await from.list(std::move(what));
    std::vector<listed> all;
    for (store::instance_state& state : states) {
        listed& each = all.emplace_back();
        if (state.status == store::instance_status::failed)
            each.failure = co_await failure_of(from, state);
        each.state = std::move(state);
    }
    co_return all;
}

row to_row(const listed& what)
{
    const store::instance_state& state = what.state;
    return {
        one_line(state.id),
        std::string{store::to_string(state.status)},
        state.workflow,
        state.queue,
        std::to_string(state.history_length),
        to_text(state.created_at),
        one_line(what.failure.empty() ? state.problem : what.failure, 100)};
}

void print(const std::vector<listed>& instances)
{
    std::vector<row> rows{{"ID", "STATE", "WORKFLOW", "QUEUE", "EVENTS", "CREATED", "PROBLEM"}};
    for (const listed& each : instances) rows.push_back(to_row(each));
    print_table(rows);
}

asio::awaitable<void> print_list(client from, store::list_request what, format how)
{
    const std::vector<listed> instances = co_await read(from, std::move(what));
    if (how == format::text) {
        print(instances);
        co_return;
    }
    for (const listed& each : instances) {
        boost::json::object object = to_json(each.state);
        object["failure"] = nullptr;
        if (!each.failure.empty()) object["failure"] = each.failure;
        std::cout << boost::json::serialize(object) << '\n';
    }
}

} // namespace

void list(const target& where, const store::list_request& what, format how)
{
    run_with_client(where, [&](client from) { return print_list(std::move(from), what, how); });
}

} // namespace perdure::tool
