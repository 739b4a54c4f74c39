// An instance in memory: what the store does for a replayer, done with a vector. Whatever it was
// led through, it can be led through again from every point of its history.
#pragma once

#include <perdure/workflow/replayer.hpp>
#include <perdure/workflow/workflow.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace perdure {

inline bool same(const finish& a, const finish& b)
{
    return a.kind == b.kind && a.data == b.data && a.workflow == b.workflow &&
           a.carried == b.carried;
}

inline bool same(const decision& a, const decision& b)
{
    bool equal = a.events == b.events && a.next_timer == b.next_timer &&
                 a.activities.size() == b.activities.size() &&
                 a.cancelled_activities == b.cancelled_activities &&
                 a.finish.has_value() == b.finish.has_value();
    for (std::size_t i = 0; equal && i != a.activities.size(); ++i) {
        const scheduled_activity& x = a.activities[i];
        const scheduled_activity& y = b.activities[i];
        equal = x.operation == y.operation && x.name == y.name && x.arguments == y.arguments &&
                x.options == y.options;
    }
    return equal && (!a.finish || same(*a.finish, *b.finish));
}

/// Led by a test: events are queued, the clock is moved, activations are made.
class instance
{
public:
    instance(
        workflow_implementation code, const untyped_workflow_call& call, std::string id = "order-1")
        : code_(std::make_shared<const workflow_implementation>(std::move(code))),
          info_{std::move(id), "default", 1},
          live_(code_, info_)
    {
        history_.push_back(
            {event_type::workflow_started, 0, call.name(), call.arguments(), now, {}});
        live_.replay(history_);
    }

    /// The database's clock. Each activation moves it by a millisecond.
    timestamp now = std::chrono::sys_days(std::chrono::year(2026) / 1 / 1);

    void signal(const signal_call& call)
    {
        arrived_.push_back({event_type::signal_received, 0, call.name(), call.data(), now, {}});
    }

    /// Somebody asks the instance to end.
    void cancel()
    {
        arrived_.push_back(
            {event_type::cancel_requested, 0, {}, payload::from_text("null"), now, {}});
    }

    void complete(std::int32_t operation, std::string json)
    {
        arrived_.push_back(
            {event_type::activity_completed,
             operation,
             {},
             payload::from_text(std::move(json)),
             now,
             {}});
    }

    void fail(std::int32_t operation, const failure_info& info)
    {
        arrived_.push_back(
            {event_type::activity_failed, operation, {}, encode_failure(info), now, {}});
    }

    /// A timer that fires without the replayer, as no store lets it.
    void fire(std::int32_t operation)
    {
        arrived_.push_back({event_type::timer_fired, operation, {}, {}, now, {}});
    }

    /// Works on what has arrived.
    decision activate()
    {
        now += std::chrono::milliseconds(1);
        step next{history_.size(), arrived_, now, {}};
        next.made = live_.activate(std::exchange(arrived_, {}), now);
        const decision& made = steps_.emplace_back(std::move(next)).made;
        history_.insert(history_.end(), made.events.begin(), made.events.end());
        CHECK(live_.history_length() == static_cast<std::int32_t>(history_.size()));
        return made;
    }

    /// Moves the clock to the earliest timer and activates.
    decision activate_at_next_timer()
    {
        REQUIRE(live_.next_timer().has_value());
        now = std::max(now, *live_.next_timer());
        return activate();
    }

    /// From every prefix of the history: a new replayer decides what the live one did, at every
    /// later step.
    void check_replays(std::size_t steps_after_each = 3) const
    {
        for (std::size_t first = 0; first != steps_.size(); ++first) {
            replayer fresh(code_, info_);
            fresh.replay(
                {history_.begin(),
                 history_.begin() + static_cast<std::ptrdiff_t>(steps_[first].length)});
            for (std::size_t i = first; i != steps_.size() && i != first + steps_after_each; ++i) {
                const decision again = fresh.activate(steps_[i].arrived, steps_[i].now);
                CHECK(same(again, steps_[i].made));
            }
        }
        replayer whole(code_, info_);
        whole.replay(history_);
        CHECK(whole.finished() == live_.finished());
        CHECK(whole.next_timer() == live_.next_timer());
    }

    /// The history read in parts, cut wherever that is allowed: at the end of each activation, and
    /// between events that arrived.
    void check_splits() const
    {
        replayer parts(code_, info_);
        for (auto from = history_.begin(); from != history_.end();) {
            auto to = from + 1;
            while (to != history_.end() && is_command(to->type)) ++to;
            parts.replay({from, to});
            from = to;
        }
        CHECK(parts.finished() == live_.finished());
        CHECK(parts.next_timer() == live_.next_timer());
        CHECK(parts.history_length() == live_.history_length());
    }

    const std::vector<event>& history() const { return history_; }
    const std::shared_ptr<const workflow_implementation>& code() const { return code_; }
    const instance_info& info() const { return info_; }
    bool finished() const { return live_.finished(); }

    /// The history's types, one word each.
    std::vector<std::string> types() const
    {
        std::vector<std::string> all;
        for (const event& each : history_) all.emplace_back(to_string(each.type));
        return all;
    }

private:
    struct step
    {
        std::size_t length; // of the history before it
        std::vector<event> arrived;
        timestamp now;
        decision made;
    };

    std::shared_ptr<const workflow_implementation> code_;
    instance_info info_;
    replayer live_;
    std::vector<event> history_;
    std::vector<event> arrived_;
    std::vector<step> steps_;
};

} // namespace perdure
