// Some processes with a poller each, who hear what the others say: without a database, in virtual
// time.
#pragma once

#include <engine/wake_hub.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace perdure::test {

using namespace std::chrono_literals;
using time_point = std::chrono::steady_clock::time_point;

struct parked final : wakeable
{
    void raise() override { raised = true; }
    void wake_at(time_point at) override { due = at; }
    bool raised = false;
    time_point due = time_point::max();
};

inline constexpr time_point start{1h};
inline constexpr timestamp start_there{1'900'000'000s};
inline const topic eu{task_kind::workflow, "eu"};

/// Some processes with a poller each, who hear what the others say.
struct fleet
{
    struct process
    {
        process(fleet& of, std::string called)
            : name{std::move(called)},
              hub{name, notification_mode::coalesced, 1s, [&of] { return of.now; }}
        {
            hub.clock().observe(start_there, start);
            hub.set_path(notification_path::up);
            place = hub.pollers().watch(task_kind::workflow, {"eu"}, flag);
        }
        std::string name;
        wake_hub hub;
        parked flag;
        std::unique_ptr<lookout> place;
    };

    explicit fleet(int count)
    {
        std::vector<member_id> members;
        for (int i = 0; i < count; ++i) {
            add("process " + std::to_string(i));
            members.push_back(member_of(processes.back()->name));
        }
        for (const auto& each : processes) each->hub.pollers().present(eu, members);
        settle();
        for (const auto& each : processes) each->flag.raised = false;
    }

    /// It knows nobody yet.
    process& add(std::string name)
    {
        return *processes.emplace_back(std::make_unique<process>(*this, std::move(name)));
    }

    /// Everybody hears it, who sent it too.
    void say(const std::string& payload)
    {
        ++notifications;
        for (const auto& each : processes) each->hub.notified(payload);
    }

    /// Until nobody has anything to say.
    void settle()
    {
        for (bool more = true; more;) {
            more = false;
            for (const auto& each : processes) {
                const auto at = each->hub.next_notification();
                if (!at) continue;
                more = true;
                now = std::max(now, *at);
                if (const auto payload = each->hub.take_payload()) say(*payload);
                each->hub.sent();
            }
        }
    }

    /// Who would look now, and who later.
    std::vector<process*> in_order()
    {
        std::vector<process*> order;
        for (const auto& each : processes) order.push_back(each.get());
        std::ranges::sort(order, {}, [](const process* each) { return each->flag.due; });
        return order;
    }

    time_point now = start;
    int notifications = 0;
    std::vector<std::unique_ptr<process>> processes;
};

/// What a commit changes that leaves work on a queue; who says so, where that matters.
inline store::announcement work_on(const std::string& queue, std::string from = "another")
{
    store::announcement what;
    what.add_workflow_queue(queue);
    what.from = std::move(from);
    return what;
}

/// What goes along with a commit of this; nothing: it is told later.
inline std::optional<wake_hub::rider> lead(wake_hub& hub, const store::announcement& what)
{
    auto rider = hub.lead(what);
    if (rider && rider->payload.empty()) rider.reset();
    return rider;
}

inline std::string work_of(const std::string& sender, std::uint32_t id)
{
    store::announcement what;
    what.add_workflow_queue("eu");
    what.from = sender;
    what.id = store::announcement_id{id};
    return store::encode(what);
}

} // namespace perdure::test
