#include "commands.hpp"
#include "session.hpp"
#include "text.hpp"
#include "waiting.hpp"

#include <perdure/workflow/error.hpp>
#include <perdure/workflow/event.hpp>
#include <perdure/workflow/failure_info.hpp>
#include <perdure/workflow/history.hpp>

#include <algorithm>
#include <cstdint>
#include <iomanip>
#include <iostream>
#include <iterator>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace perdure::tool {

namespace asio = boost::asio;

namespace {

constexpr std::size_t shown_of_a_payload = 100;
constexpr std::int32_t events_at_a_time = 1000;

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
        print_line(
            "pending", std::to_string(state.pending_events) +
                           (state.pending_events == 1 ? " event" : " events") +
                           " that no worker has looked at yet");
}

/// Says since when a running instance knows that it was asked to end.
void print_request(const std::vector<event>& history)
{
    const auto asked = std::ranges::find(history, event_type::cancel_requested, &event::type);
    if (asked != history.end()) print_line("cancel", "asked for at " + to_text(asked->at));
}

void print_waiting(const store::instance_state& state, const std::vector<event>& history)
{
    if (history.size() == 1) {
        print_line("waits for", "a worker on queue " + state.queue + " that begins it");
        return;
    }
    const std::vector<std::string> pending = pending_operations(history);
    for (const std::string& each : pending) print_line("waits for", each);
    if (pending.empty() && state.pending_events == 0 && state.problem.empty())
        print_line("waits for", "a signal");
}

void print_end(const event& last)
{
    if (last.type == event_type::workflow_failed)
        print_line("failure", one_line(describe(decode_failure(last.data))));
}

/// \param before how many events of the run come before these.
void print_history(std::span<const event> shown, std::size_t before)
{
    const std::size_t width = std::to_string(before + shown.size()).size();
    std::size_t number = before;
    for (const event& each : shown) {
        std::cout << std::right << std::setw(static_cast<int>(width)) << ++number << "  "
                  << to_text(each.at) << "  " << describe(each);
        if (each.due) std::cout << " due " << to_text(*each.due);
        if (!each.data.empty()) std::cout << "  " << to_text(each.data, shown_of_a_payload);
        std::cout << '\n';
    }
}

asio::awaitable<std::vector<event>> whole_history(untyped_instance instance, std::int32_t run)
{
    std::vector<event> all;
    for (bool more = true; more;) {
        const auto after = static_cast<std::int32_t>(all.size());
        const std::vector<event> next =
            co_await instance.history(run, store::history_page{after, events_at_a_time});
        more = std::ssize(next) == events_at_a_time;
        all.insert(all.end(), next.begin(), next.end());
    }
    co_return all;
}

asio::awaitable<void> print_page(untyped_instance instance, std::int32_t run, show_request what)
{
    const std::vector<event> shown =
        co_await instance.history(run, store::history_page{*what.after, what.limit});
    std::cout << '\n';
    if (shown.empty()) std::cout << "no events after the first " << *what.after << '\n';
    print_history(shown, static_cast<std::size_t>(*what.after));
}

asio::awaitable<void> print_instance(client from, show_request what, format how)
{
    const untyped_instance by_id = from.get(what.id);
    const store::instance_state state = co_await by_id.state();
    const untyped_instance instance = from.get(state);
    const std::int32_t run = what.run.value_or(state.run);
    if (run > state.run)
        throw error{
            errc::not_found, "instance \"" + state.id + "\" has no run " + std::to_string(run)};
    if (how == format::text) print_state(state);
    if (what.after) {
        co_await print_page(instance, run, what);
        co_return;
    }
    history_document document;
    document.id = state.id;
    document.run = run;
    document.events = co_await whole_history(instance, run);
    if (document.events.empty()) throw error{errc::not_found, "its history was removed just now"};
    document.workflow = document.events.front().name; // an earlier run may be another workflow's
    if (how == format::json) {
        std::cout << encode_history(document);
        co_return;
    }
    if (state.status != store::instance_status::running) {
        print_end(document.events.back());
    } else if (run == state.run) {
        print_request(document.events);
        print_waiting(state, document.events);
    }
    std::cout << '\n';
    std::span<const event> last{document.events};
    const auto limit = static_cast<std::size_t>(what.limit);
    const std::size_t before = last.size() > limit ? last.size() - limit : 0;
    if (before > 0) std::cout << "(" << before << " events before these: show --after 0)\n";
    print_history(last.subspan(before), before);
}

} // namespace

void show(const target& where, const show_request& what, format how)
{
    run_with_client(where, [&](client from) { return print_instance(std::move(from), what, how); });
}

} // namespace perdure::tool
