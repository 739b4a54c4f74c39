#include <perdure/workflow/replayer.hpp>

#include "runtime.hpp"

#include <perdure/workflow/defaults.hpp>
#include <perdure/workflow/error.hpp>

#include <algorithm>
#include <iterator>
#include <span>
#include <string>
#include <utility>

namespace perdure {

class PERDURE_LOCAL replayer::driver
{
public:
    driver(std::shared_ptr<const workflow_implementation> implementation, instance_info info)
        : workflow_(implementation->name()), run_(std::move(implementation), std::move(info))
    {}

    void replay(std::vector<event> history);
    decision activate(std::vector<event> arrived, timestamp now);

    const detail::runtime& run() const noexcept { return run_; }
    std::int32_t length() const noexcept { return length_; }

private:
    void replay_activation(
        std::vector<event> arrived, timestamp at, std::span<const event> commands);
    void accept(const event& arrived);
    void require_usable() const;
    void refuse_overrun() const;
    [[noreturn]] void refuse(errc kind, const std::string& sentence) const;
    [[noreturn]] void refuse_mismatch(const detail::command_mismatch& mismatch) const;

    std::string workflow_;
    detail::runtime run_;
    std::vector<event> pending_; // in the history, but not worked on
    std::int32_t length_ = 0;
    bool started_ = false;
    bool broken_ = false; // set while something runs, and so for ever once that has thrown
};

void replayer::driver::replay(std::vector<event> history)
{
    require_usable();
    broken_ = true;
    for (std::size_t at = 0; at != history.size();) {
        event& next = history[at++];
        ++length_;
        if (is_command(next.type))
            refuse(
                errc::invalid_argument,
                "a command stands where an event was expected: " + describe(next));
        if (next.type != event_type::workflow_task) {
            accept(next);
            pending_.push_back(std::move(next));
            continue;
        }
        if (!started_)
            refuse(errc::invalid_argument, "the history does not begin with workflow_started");
        const std::size_t first = at;
        while (at != history.size() && is_command(history[at].type)) ++at;
        replay_activation(
            std::exchange(pending_, {}), next.at,
            std::span<const event>(history).subspan(first, at - first));
        length_ += static_cast<std::int32_t>(at - first);
    }
    broken_ = false;
}

decision replayer::driver::activate(std::vector<event> arrived, timestamp now)
{
    require_usable();
    if (run_.finished()) refuse(errc::invalid_argument, "the run has finished");
    broken_ = true;
    run_.begin_activation(now);
    run_.log().record();

    decision result;
    const bool idle = pending_.empty() && arrived.empty() && !run_.due_timer();
    for (const event& known : std::exchange(pending_, {})) run_.deliver(known);
    for (auto next = arrived.begin();;) {
        const auto timer = run_.due_timer();
        if (timer && (next == arrived.end() || timer->first < next->at)) {
            result.events.push_back(
                {event_type::timer_fired, timer->second, {}, {}, timer->first, {}});
        } else if (next != arrived.end()) {
            accept(*next);
            result.events.push_back(std::move(*next++));
        } else {
            break;
        }
        run_.deliver(result.events.back());
    }
    if (!started_)
        refuse(errc::invalid_argument, "the history does not begin with workflow_started");

    if (!idle) {
        result.events.push_back({event_type::workflow_task, 0, {}, {}, run_.now(), {}});
        std::vector<event> commands = run_.log().take();
        std::move(commands.begin(), commands.end(), std::back_inserter(result.events));
    }
    refuse_overrun();
    result.activities = run_.take_scheduled();
    result.cancelled_activities = run_.take_cancelled();
    result.next_timer = run_.next_timer();
    result.finish = run_.finished();
    if (result.finish) result.activities.clear(); // nobody waits for them
    length_ += static_cast<std::int32_t>(result.events.size());
    broken_ = run_.overran() != detail::runtime::overrun::none;
    return result;
}

void replayer::driver::replay_activation(
    std::vector<event> arrived, timestamp at, std::span<const event> commands)
{
    run_.begin_activation(at);
    run_.log().check(commands, length_ + 1);
    for (const event& next : arrived) run_.deliver(next);
    run_.log().end();
    if (run_.log().mismatch()) refuse_mismatch(*run_.log().mismatch());
    refuse_overrun();
}

/// Checks what arrives: a run's first event is its start, and there is no other start.
void replayer::driver::accept(const event& arrived)
{
    const bool start = arrived.type == event_type::workflow_started;
    if (is_command(arrived.type) || arrived.type == event_type::workflow_task) {
        refuse(errc::invalid_argument, "no event that can arrive: " + describe(arrived));
    }
    if (start == started_) {
        refuse(
            errc::invalid_argument, start ? "the history has a second workflow_started"
                                          : "the history does not begin with workflow_started");
    }
    if (start && arrived.name != workflow_) {
        refuse(errc::invalid_argument, "the history is one of workflow " + arrived.name);
    }
    started_ = true;
}

void replayer::driver::require_usable() const
{
    if (broken_) refuse(errc::invalid_argument, "the replayer is used after it has failed");
}

/// Code that emitted more commands than a history holds was stopped, too; what it emitted is
/// returned, so that whoever stores it sees a history over its limit.
void replayer::driver::refuse_overrun() const
{
    if (run_.overran() != detail::runtime::overrun::steps) return;
    // Of a cancellation that a loop catches every time, the loop's waits are not to blame.
    const char* const advice =
        run_.cancel_requested()
            ? "the instance was asked to end, and only shielded operations wait now: let the "
              "cancellation end a loop like this"
            : "give a loop like this something to wait for, a sleep of more than zero, or let it "
              "continue as new";
    refuse(
        errc::activation_too_long,
        "the code took " + std::to_string(defaults::maximum_activation_steps) +
            " steps without waiting for anything that takes time; " + advice);
}

void replayer::driver::refuse(errc kind, const std::string& sentence) const
{
    const instance_info& info = run_.info();
    throw error(
        kind, "workflow " + workflow_ + ", instance " + info.id + ", run " +
                  std::to_string(info.run) + ": " + sentence);
}

void replayer::driver::refuse_mismatch(const detail::command_mismatch& mismatch) const
{
    refuse(
        errc::nondeterminism, "the code does not do what the history says it did; run the code "
                              "that this instance began with, or code that "
                              "emits the same commands\n  history, event " +
                                  std::to_string(mismatch.position) + ": " + mismatch.recorded +
                                  "\n  the code now emits: " + mismatch.emitted);
}

replayer::replayer(
    std::shared_ptr<const workflow_implementation> implementation, instance_info info)
    : driver_(std::make_unique<driver>(std::move(implementation), std::move(info)))
{}

replayer::replayer(replayer&&) noexcept = default;
replayer& replayer::operator=(replayer&&) noexcept = default;
replayer::~replayer() = default;

void replayer::replay(std::vector<event> history)
{
    driver_->replay(std::move(history));
}

decision replayer::activate(std::vector<event> arrived, timestamp now)
{
    return driver_->activate(std::move(arrived), now);
}

std::optional<timestamp> replayer::next_timer() const
{
    return driver_->run().next_timer();
}

bool replayer::finished() const noexcept
{
    return driver_->run().finished().has_value();
}

std::int32_t replayer::history_length() const noexcept
{
    return driver_->length();
}

} // namespace perdure
