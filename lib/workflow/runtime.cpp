#include "runtime.hpp"

#include <perdure/workflow/checks.hpp>
#include <perdure/workflow/error.hpp>
#include <perdure/workflow/failure_info.hpp>

#include <boost/uuid/name_generator_sha1.hpp>

#include <algorithm>
#include <exception>

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
    run_->ready().push_back(*this);
}

runtime::runtime(std::shared_ptr<const workflow_implementation> implementation, instance_info info)
    : implementation_(std::move(implementation)), info_(std::move(info))
{}

runtime::~runtime()
{
    closing_ = true; // destructors of locals find a context that ignores them
    root_.reset();
}

boost::uuids::uuid runtime::next_uuid()
{
    std::string name = info_.id;
    for (const auto number :
         {std::int64_t{info_.run}, started_at_.time_since_epoch().count(),
          static_cast<std::int64_t>(++uuids_)}) {
        name += '\0' + std::to_string(number);
    }
    return boost::uuids::name_generator_sha1(uuid_namespace)(name);
}

const event* runtime::emit(
    event_type type, std::int32_t operation, std::string_view name, payload data,
    std::optional<timestamp> due)
{
    return log_.emit({type, operation, std::string(name), std::move(data), now_, due});
}

void runtime::schedule(
    std::shared_ptr<activity_operation> operation, const untyped_activity_call& call)
{
    const std::int32_t number = next_operation();
    if (emit(event_type::activity_scheduled, number, call.name(), call.arguments()) == nullptr)
        return;
    if (!replaying()) scheduled_.push_back({number, call.name(), call.arguments(), call.options()});
    activities_.emplace(number, std::move(operation));
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
}

void runtime::deliver(const event& arrived)
{
    if (!running()) {
        if (finish_ && finish_->kind == finish::kind::continued &&
            arrived.type == event_type::signal_received) {
            finish_->carried.push_back(arrived);
        }
        return;
    }
    switch (arrived.type) {
    case event_type::workflow_started: start(arrived); break;
    case event_type::activity_completed:
    case event_type::activity_failed: complete_activity(arrived); break;
    case event_type::timer_fired: fire_timer(arrived); break;
    case event_type::signal_received: deliver_signal(arrived); break;
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
    root_->promise().attach(*this, nullptr);
    root_->promise().make_ready();
}

void runtime::complete_activity(const event& arrived)
{
    const auto found = activities_.find(arrived.operation);
    if (found == activities_.end()) return; // a result that came twice, or of another run
    const std::shared_ptr<activity_operation> operation = std::move(found->second);
    activities_.erase(found);
    operation->complete(
        arrived.type == event_type::activity_failed ? wait_ending::failure : wait_ending::value,
        arrived.data);
}

void runtime::fire_timer(const event& arrived)
{
    const auto found = timers_.find(arrived.operation);
    if (found == timers_.end()) return; // cancelled before it fired
    const std::shared_ptr<timer_operation> timer = found->second;
    stop_timer(*timer);
    timer->complete(wait_ending::value, payload());
}

void runtime::deliver_signal(const event& arrived)
{
    auto found = mailboxes_.find(arrived.name);
    if (found == mailboxes_.end()) found = mailboxes_.try_emplace(arrived.name).first;
    if (link* receiver = found->second.receivers.pop_front()) {
        static_cast<receive_operation*>(receiver)->complete(wait_ending::value, arrived.data);
    } else {
        found->second.signals.push_back(arrived.data);
    }
}

void runtime::drain()
{
    while (running()) {
        link* next = ready_.pop_front();
        if (next == nullptr) return;
        static_cast<task_promise_base*>(next)->resume();
        if (running() && root_->promise().done()) end_with_root();
    }
}

void runtime::end_with_root()
{
    finish how;
    try {
        how.data = root_->result();
        check_payload("the result of workflow " + implementation_->name(), how.data);
    } catch (...) {
        how.kind = finish::kind::failed;
        how.data = encode_failure(describe_exception(std::current_exception()));
    }
    const bool failed = how.kind == finish::kind::failed;
    const event_type type = failed ? event_type::workflow_failed : event_type::workflow_completed;
    if (emit(type, 0, {}, how.data) != nullptr) end(std::move(how));
}

} // namespace detail

} // namespace perdure
