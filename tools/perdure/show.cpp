#include "commands.hpp"
#include "session.hpp"
#include "text.hpp"

#include <perdure/workflow/error.hpp>
#include <perdure/workflow/event.hpp>
#include <perdure/workflow/failure_info.hpp>
#include <perdure/workflow/history.hpp>

#include <iomanip>
#include <iostream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace perdure::tool {

namespace asio = boost::asio;

namespace {

constexpr std::size_t shown_of_a_payload = 100;

void print_line(std::string_view name, const auto& value)
{
    std::cout << std::left << std::setw(10) << name << value << '\n';
}

void print_state(const store::instance_state& state)
{
    print_line("id", one_line(state.id));
    print_line("state", store::to_string(state.status));
    print_line("workflow", state.workflow);
    print_line("queue", state.queue);
    print_line("run", state.run);
    print_line("created", to_text(state.created_at));
    if (state.finished_at) print_line("finished", to_text(*state.finished_at));
    if (!state.problem.empty()) print_line("problem", one_line(state.problem));
    if (state.pending_events > 0)
        print_line("pending", std::to_string(state.pending_events) + " events not looked at yet");
}

void print_history(const std::vector<event>& history)
{
    const std::size_t width = std::to_string(history.size()).size();
    std::size_t number = 0;
    for (const event& each : history) {
        std::cout << std::right << std::setw(static_cast<int>(width)) << ++number << "  "
                  << to_text(each.at) << "  " << describe(each);
        if (each.due) std::cout << " due " << to_text(*each.due);
        if (!each.data.empty()) std::cout << "  " << to_text(each.data, shown_of_a_payload);
        std::cout << '\n';
    }
}

asio::awaitable<void> print_instance(client from, show_request what, format how)
{
    const untyped_instance instance = from.get(what.id);
    const store::instance_state state = co_await instance.state();
    history_document document;
    document.id = state.id;
    document.run = what.run.value_or(state.run);
    document.events = co_await instance.history(document.run);
    if (document.events.empty())
        throw error{
            errc::not_found,
            "instance \"" + state.id + "\" has no run " + std::to_string(document.run)};
    document.workflow = document.events.front().name; // an earlier run may be another workflow's
    if (how == format::json) {
        std::cout << encode_history(document);
        co_return;
    }
    print_state(state);
    const event& last = document.events.back();
    if (last.type == event_type::workflow_failed)
        print_line("failure", one_line(describe(decode_failure(last.data))));
    std::cout << '\n';
    print_history(document.events);
}

} // namespace

void show(const target& where, const show_request& what, format how)
{
    run_with_client(where, [&](client from) { return print_instance(std::move(from), what, how); });
}

} // namespace perdure::tool
