#include "runtime.hpp"

#include <perdure/workflow/checks.hpp>
#include <perdure/workflow/defaults.hpp>
#include <perdure/workflow/error.hpp>
#include <perdure/workflow/failure_info.hpp>

#include <boost/uuid/name_generator_sha1.hpp>

#include <algorithm>
#include <exception>
#include <iterator>

namespace perdure {

namespace detail {

namespace {

/// The namespace of the UUIDs that workflows draw.
constexpr boost::uuids::uuid uuid_namespace = {
    {0x6f, 0x0a, 0x7b, 0x0e, 0x5c, 0x63, 0x4d, 0x0c, 0x9b, 0x51, 0x2e, 0x8d, 0x37, 0x1f, 0xa4,
     0xd8}};

} // namespace

void task_promise_base::make_ready() noexcept
{
    scope_->run().ready().push_back(*this);
}

runtime::runtime(std::shared_ptr<const workflow_implementation> implementation, instance_info info)
    : implementation_(std::move(implementation)), info_(std::move(info))
{}

runtime::~runtime()
{
    closing_ = true;            // destructors of locals find a context that ignores them
    while (!spawned_.empty()) { // first: they may refer to locals of who spawned them
        const auto last = std::move(spawned_.extract(std::prev(spawned_.end())).mapped());
        last->drop();
    }
    root_.reset();
    destroy_ended();
}

boost::uuids::uuid runtime::make_uuid(std::uint64_t number) const
{
    std::string name = info_.id;
    for (const auto part :
         {std::int64_t{info_.run}, started_at_.time_since_epoch().count(),
          static_cast<std::int64_t>(number)}) {
        name += '\0' + std::to_string(part);
    }
    return boost::uuids::name_generator_sha1(uuid_namespace)(name);
}

boost::uuids::uuid runtime::next_uuid()
{
    return make_uuid(++uuids_);
}

std::uint64_t runtime::next_random()
{
    if (!random_) {
        random_ = 0;
        const boost::uuids::uuid seed = make_uuid(0);
        for (std::size_t i = 0; i != 8; ++i)
            *random_ = *random_ << 8 | static_cast<std::uint64_t>(seed.data[i] ^ seed.data[i + 8]);
    }
    std::uint64_t z = *random_ += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

const event* runtime::emit(
    event_type type, std::int32_t operation, std::string_view name, payload data,
    std::optional<timestamp> due)
{
    const event* emitted =
        log_.emit({type, operation, std::string(name), std::move(data), now_, due});
    if (log_.recorded() >= static_cast<std::size_t>(defaults::maximum_history_events))
        overrun_ = overrun::commands;
    return emitted;
}

bool runtime::take_step() noexcept
{
    if (++steps_ > defaults::maximum_activation_steps) overrun_ = overrun::steps;
    return running();
}

void runtime::schedule(
    std::int32_t number, const untyped_activity_call& call,
    std::shared_ptr<activity_operation> operation)
{
    if (emit(event_type::activity_scheduled, number, call.name(), call.arguments()) == nullptr)
        return;
    if (!replaying()) {
        scheduled_.emplace(
            number, scheduled_activity{number, call.name(), call.arguments(), call.options()});
    }
    activities_.emplace(number, std::move(operation));
}

void runtime::cancel_activity(std::int32_t number)
{
    activities_.erase(number);
    if (emit(event_type::activity_cancelled, number) == nullptr || replaying()) return;
    if (scheduled_.erase(number) == 0) cancelled_.push_back(number);
}

std::vector<scheduled_activity> runtime::take_scheduled()
{
    std::vector<scheduled_activity> all;
    all.reserve(scheduled_.size());
    for (auto& [number, activity] : scheduled_) all.push_back(std::move(activity));
    scheduled_.clear();
    return all;
}

void runtime::interrupt_cancelled()
{
    link others;
    link interrupted;
    while (link* next = interruptible_.pop_front()) {
        auto& waiting = static_cast<completion_wait&>(static_cast<interruptible_link&>(*next));
        if (waiting.interrupted_by_scope()) {
            interrupted.push_back(*next);
            waiting.withdraw();
        } else {
            others.push_back(*next);
        }
    }
    while (link* next = others.pop_front()) interruptible_.push_back(*next);
    while (link* next = interrupted.pop_front()) {
        static_cast<completion_wait&>(static_cast<interruptible_link&>(*next)).end_interrupted();
    }
}

std::uint64_t runtime::keep(std::shared_ptr<spawned_state> task)
{
    spawned_.emplace(++spawns_, std::move(task));
    return spawns_;
}

std::shared_ptr<spawned_state> runtime::forget(std::uint64_t number)
{
    return std::move(spawned_.extract(number).mapped());
}

void runtime::start_timer(std::shared_ptr<timer_operation> timer)
{
    due_.emplace(timer->due(), timer->number());
    timers_.emplace(timer->number(), std::move(timer));
}

void runtime::stop_timer(const timer_operation& timer)
{
    due_.erase({timer.due(), timer.number()});
    timers_.erase(timer.number());
}

std::optional<payload> runtime::take_signal(std::string_view name)
{
    const auto found = mailboxes_.find(name);
    if (found == mailboxes_.end() || found->second.signals.empty()) return std::nullopt;
    payload first = std::move(found->second.signals.front());
    found->second.signals.pop_front();
    return first;
}

void runtime::wait_for_signal(std::string_view name, receive_operation& receiver)
{
    auto found = mailboxes_.find(name);
    if (found == mailboxes_.end()) found = mailboxes_.try_emplace(std::string(name)).first;
    found->second.receivers.push_back(receiver);
}

void runtime::end(finish how)
{
    finish_ = std::move(how);
    if (finish_->kind != finish::kind::continued) return;
    for (auto& [name, box] : mailboxes_) { // what nobody received is for the next run
        for (payload& signal : box.signals) {
            finish_->carried.push_back(
                {event_type::signal_received, 0, name, std::move(signal), now_, {}});
        }
        box.signals.clear();
    }
    if (cancel_requested() && !request_seen_)
        carry({event_type::cancel_requested, 0, {}, payload::from_text("null"), now_, {}});
}

/// Keeps for the next run what arrived for this one in vain; of requests to end one is enough.
void runtime::carry(const event& arrived)
{
    std::vector<event>& carried = finish_->carried;
    const bool signal = arrived.type == event_type::signal_received;
    const bool request = arrived.type == event_type::cancel_requested &&
                         std::none_of(carried.begin(), carried.end(), [](const event& each) {
                             return each.type == event_type::cancel_requested;
                         });
    if (signal || request) carried.push_back(arrived);
}

void runtime::deliver(const event& arrived)
{
    if (!running()) {
        if (finish_ && finish_->kind == finish::kind::continued) carry(arrived);
        return;
    }
    switch (arrived.type) {
    case event_type::workflow_started: start(arrived); break;
    case event_type::activity_completed:
    case event_type::activity_failed: complete_activity(arrived); break;
    case event_type::timer_fired: fire_timer(arrived); break;
    case event_type::signal_received: deliver_signal(arrived); break;
    case event_type::cancel_requested:
        scope_.cancel();
        interrupt_cancelled();
        break;
    default: break; // not an event that arrives; the driver lets none through
    }
    drain();
}

std::optional<std::pair<timestamp, std::int32_t>> runtime::due_timer() const
{
    if (!running() || due_.empty() || due_.begin()->first > now_) return std::nullopt;
    return *due_.begin();
}

std::optional<timestamp> runtime::next_timer() const
{
    if (finish_ || due_.empty()) return std::nullopt;
    return due_.begin()->first;
}

void runtime::start(const event& started)
{
    started_at_ = started.at;
    root_ = implementation_->start(context(*this), started.data);
    root_->promise().attach(scope_, nullptr);
    root_->promise().make_ready();
}

void runtime::complete_activity(const event& arrived)
{
    const auto found = activities_.find(arrived.operation);
    if (found == activities_.end()) return; // a result that came twice, or of another run
    const std::shared_ptr<activity_operation> operation = std::move(found->second);
    activities_.erase(found);
    operation->complete(
        arrived.type == event_type::activity_failed ? operation_ending::failure
                                                    : operation_ending::value,
        arrived.data);
}

void runtime::fire_timer(const event& arrived)
{
    const auto found = timers_.find(arrived.operation);
    if (found == timers_.end()) return; // cancelled before it fired
    const std::shared_ptr<timer_operation> timer = found->second;
    stop_timer(*timer);
    timer->complete(operation_ending::value, payload());
}

void runtime::deliver_signal(const event& arrived)
{
    auto found = mailboxes_.find(arrived.name);
    if (found == mailboxes_.end()) found = mailboxes_.try_emplace(arrived.name).first;
    if (link* receiver = found->second.receivers.pop_front()) {
        static_cast<receive_operation*>(receiver)->complete(operation_ending::value, arrived.data);
    } else {
        found->second.signals.push_back(arrived.data);
    }
}

void runtime::drain()
{
    while (running()) {
        link* next = ready_.pop_front();
        if (next == nullptr || !take_step()) return;
        static_cast<task_promise_base*>(next)->resume();
        destroy_ended();
        if (running() && root_->promise().done()) end_with_root();
    }
}

void runtime::destroy_ended() noexcept
{
    for (const std::coroutine_handle<> frame : std::exchange(ended_, {})) frame.destroy();
}

void runtime::end_with_root()
{
    finish how;
    try {
        how.data = root_->result();
        check_payload("the result of workflow " + implementation_->name(), how.data);
    } catch (const cancelled&) {
        how.kind = cancel_requested() ? finish::kind::cancelled : finish::kind::failed;
        how.data = encode_failure(describe_exception(std::current_exception()));
    } catch (...) {
        how.kind = finish::kind::failed;
        how.data = encode_failure(describe_exception(std::current_exception()));
    }
    event_type type = event_type::workflow_completed;
    if (how.kind == finish::kind::failed) type = event_type::workflow_failed;
    if (how.kind == finish::kind::cancelled) type = event_type::workflow_cancelled;
    if (emit(type, 0, {}, how.data) != nullptr) end(std::move(how));
}

} // namespace detail

} // namespace perdure
