#include <store/workflow_batch.hpp>

#include <store/event_rows.hpp>

#include <perdure/store/instances.hpp>

#include <algorithm>
#include <iterator>
#include <map>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

namespace perdure::store {

namespace {

using finish_kind = enum finish::kind;

/// How settle_workflow_tasks knows the end of a run.
enum class ending : std::int16_t
{
    none = 0,
    finished = 1,
    continued = 2
};

ending ending_of(const workflow_completion& completion)
{
    if (!completion.finish) return ending::none;
    return completion.finish->kind == finish_kind::continued ? ending::continued : ending::finished;
}

instance_status status_of(const workflow_completion& completion)
{
    if (ending_of(completion) != ending::finished) return instance_status::running;
    switch (completion.finish->kind) {
    case finish_kind::completed: return instance_status::completed;
    case finish_kind::cancelled: return instance_status::cancelled;
    case finish_kind::failed:
    case finish_kind::continued: break;
    }
    return instance_status::failed;
}

std::int64_t bytes_of(const std::vector<event>& events)
{
    std::size_t bytes = 0;
    for (const event& each : events) bytes += each.data.size();
    return static_cast<std::int64_t>(bytes);
}

} // namespace

workflow_batch::workflow_batch(store_core& core, std::vector<workflow_completion> completions)
    : report_batch{core}, completions_{std::move(completions)}, outcomes_(completions_.size())
{}

std::vector<std::size_t> workflow_batch::sizes() const
{
    std::vector<std::size_t> sizes;
    for (const workflow_completion& each : completions_) {
        auto size = static_cast<std::size_t>(bytes_of(each.events));
        if (each.finish) size += static_cast<std::size_t>(bytes_of(each.finish->carried));
        for (const scheduled_activity& activity : each.activities)
            size += activity.arguments.size();
        sizes.push_back(size);
    }
    return sizes;
}

pg::pipeline workflow_batch::build(batch_items items)
{
    std::vector<instance_key> instances, ended, finished, consumers;
    std::vector<claim_token> tokens, next_tokens;
    std::vector<std::int32_t> runs, lengths;
    std::vector<std::int64_t> consumed;
    for (const std::size_t item : items) {
        const workflow_completion& each = completions_[item];
        instances.push_back(each.instance);
        tokens.push_back(each.token);
        next_tokens.push_back(each.next_token);
        runs.push_back(each.run);
        lengths.push_back(each.history_length);
        if (each.finish) ended.push_back(each.instance);
        if (ending_of(each) == ending::finished) finished.push_back(each.instance);
        consumers.insert(consumers.end(), each.consumed.size(), each.instance);
        consumed.insert(consumed.end(), each.consumed.begin(), each.consumed.end());
    }
    const statements& sql = core_.sql;
    pg::pipeline work = begin(items);
    work.add(sql.fence_workflow_tasks, instances, tokens, runs, lengths);
    if (!consumed.empty()) work.add(sql.delete_consumed, consumers, consumed);
    add_history(work, items);
    add_activities(work, items);
    add_instances(work, items);
    end_activities(work, items, ended);
    if (!ended.empty()) work.add(sql.drop_results, ended, finished);
    add_settling(work, items);
    arrived_ = work.add(sql.read_arrived, instances, next_tokens);
    clock_ = work.add(sql.read_clock);
    commit(work, items);
    return work;
}

void workflow_batch::add_history(pg::pipeline& work, batch_items items) const
{
    std::vector<instance_key> instances;
    std::vector<std::int32_t> runs, seqs, operations;
    std::vector<std::string_view> types, names;
    std::vector<std::span<const std::byte>> data;
    std::vector<timestamp> at;
    std::vector<std::optional<timestamp>> due;
    std::vector<std::optional<claim_token>> tokens;
    const auto append = [&](instance_key instance, std::int32_t run, std::int32_t seq,
                            event_type type, std::int32_t operation, std::string_view name,
                            const payload& value, timestamp when, std::optional<timestamp> fires) {
        instances.push_back(instance);
        runs.push_back(run);
        seqs.push_back(seq);
        types.push_back(to_string(type));
        operations.push_back(operation);
        names.push_back(name);
        data.push_back(value.span());
        at.push_back(when);
        due.push_back(fires);
        tokens.emplace_back();
    };
    for (const std::size_t item : items) {
        const workflow_completion& each = completions_[item];
        std::int32_t seq = each.history_length;
        const std::size_t first = tokens.size();
        for (const event& e : each.events)
            append(
                each.instance, each.run, ++seq, e.type, e.operation, e.name, e.data, e.at, e.due);
        if (!each.events.empty()) tokens[first] = each.token;
        if (ending_of(each) != ending::continued) continue;
        const timestamp when = each.events.empty() ? timestamp{} : each.events.back().at;
        append(
            each.instance, each.run + 1, 1, event_type::workflow_started, 0, each.finish->workflow,
            each.finish->data, when, std::nullopt);
        std::int32_t carried = 1;
        for (const event& e : each.finish->carried)
            append(
                each.instance, each.run + 1, ++carried, e.type, e.operation, e.name, e.data, e.at,
                e.due);
    }
    if (!instances.empty())
        work.add(
            core_.sql.insert_history, instances, runs, seqs, types, operations, names, data, at,
            due, tokens);
}

void workflow_batch::add_activities(pg::pipeline& work, batch_items items)
{
    claimed_.reset();
    std::vector<instance_key> instances;
    std::vector<std::int32_t> runs, operations, attempts;
    std::vector<std::string_view> queues, workflow_queues, names;
    std::vector<std::span<const std::byte>> arguments;
    std::vector<std::chrono::milliseconds> limits, initial_intervals, maximum_intervals;
    std::vector<double> coefficients;
    std::vector<std::optional<claim_token>> tokens;
    std::vector<std::chrono::milliseconds> leases;
    bool eager = false;
    for (const std::size_t item : items) {
        const workflow_completion& each = completions_[item];
        if (each.finish) continue; // nobody would wait for them
        const std::size_t first = tokens.size();
        for (const scheduled_activity& activity : each.activities) {
            const activity_options& options = activity.options;
            instances.push_back(each.instance);
            runs.push_back(each.run);
            operations.push_back(activity.operation);
            queues.push_back(each.queue_of(activity));
            workflow_queues.push_back(each.queue);
            names.push_back(activity.name);
            arguments.push_back(activity.arguments.span());
            limits.push_back(options.start_to_close());
            attempts.push_back(options.attempts());
            initial_intervals.push_back(options.initial_interval());
            coefficients.push_back(options.backoff_coefficient());
            maximum_intervals.push_back(options.maximum_interval());
            tokens.emplace_back();
            leases.push_back(each.lease);
        }
        for (const std::size_t place : each.eager) tokens.at(first + place) = each.eager_token;
        eager = eager || !each.eager.empty();
    }
    if (instances.empty()) return;
    const std::size_t inserted = work.add(
        core_.sql.insert_activities, instances, runs, operations, queues, workflow_queues, names,
        arguments, limits, attempts, initial_intervals, coefficients, maximum_intervals, tokens,
        leases);
    if (eager) claimed_ = inserted;
}

void workflow_batch::end_activities(
    pg::pipeline& work, batch_items items, const std::vector<instance_key>& ended) const
{
    std::vector<instance_key> instances;
    std::vector<std::int32_t> runs, operations;
    for (const std::size_t item : items) {
        const workflow_completion& each = completions_[item];
        if (each.finish) continue; // with all the others
        for (const std::int32_t operation : each.cancelled_activities) {
            instances.push_back(each.instance);
            runs.push_back(each.run);
            operations.push_back(operation);
        }
    }
    if (!ended.empty() || !instances.empty())
        work.add(core_.sql.end_activities, ended, instances, runs, operations);
}

void workflow_batch::add_instances(pg::pipeline& work, batch_items items) const
{
    std::vector<instance_key> instances;
    std::vector<claim_token> tokens;
    std::vector<std::int32_t> runs, lengths;
    std::vector<std::int64_t> bytes, consumed;
    std::vector<instance_status> states;
    std::vector<std::optional<std::string_view>> workflows;
    std::vector<std::optional<member_id>> holders;
    for (const std::size_t item : items) {
        const workflow_completion& each = completions_[item];
        const bool continued = ending_of(each) == ending::continued;
        instances.push_back(each.instance);
        tokens.push_back(each.token);
        runs.push_back(continued ? each.run + 1 : each.run);
        const auto begun_with = continued ? 1 + std::ssize(each.finish->carried) : 0;
        lengths.push_back(static_cast<std::int32_t>(
            continued ? begun_with : each.history_length + std::ssize(each.events)));
        bytes.push_back(
            continued ? static_cast<std::int64_t>(each.finish->data.size()) +
                            bytes_of(each.finish->carried)
                      : bytes_of(each.events));
        consumed.push_back(static_cast<std::int64_t>(each.consumed.size()));
        states.push_back(status_of(each));
        workflows.push_back(
            continued ? std::optional<std::string_view>{each.finish->workflow} : std::nullopt);
        holders.push_back(each.finish ? std::nullopt : each.holder);
    }
    work.add(
        core_.sql.update_instances, instances, tokens, runs, lengths, bytes, consumed, states,
        workflows, holders);
}

void workflow_batch::add_settling(pg::pipeline& work, batch_items items)
{
    std::vector<instance_key> instances;
    std::vector<claim_token> next_tokens;
    std::vector<std::chrono::milliseconds> leases;
    std::vector<std::optional<timestamp>> timers;
    std::vector<ending> endings;
    for (const std::size_t item : items) {
        const workflow_completion& each = completions_[item];
        instances.push_back(each.instance);
        next_tokens.push_back(each.next_token);
        leases.push_back(each.lease);
        timers.push_back(each.next_timer);
        endings.push_back(ending_of(each));
    }
    settled_ =
        work.add(core_.sql.settle_workflow_tasks, instances, next_tokens, leases, timers, endings);
}

std::vector<std::size_t> workflow_batch::confirmed(
    batch_items items, const pg::pipeline_result& results)
{
    std::map<instance_key, bool> goes_on;
    for (const auto& [instance, more] : results[settled_].rows<instance_key, bool>())
        goes_on[instance] = more;
    std::vector<bool> more;
    for (const std::size_t item : items) {
        outcomes_[item].status = completion_status::confirmed;
        more.push_back(goes_on[completions_[item].instance]);
    }
    read_arrived(items, results, more);
    announce_committed(items);
    if (claimed_) read_claimed(items, results[*claimed_]);
    return {};
}

/// Reads rows of (instance, operation, id).
void workflow_batch::read_claimed(batch_items items, const pg::result& rows)
{
    std::map<std::pair<instance_key, std::int32_t>, std::int64_t> ids;
    for (const auto& [instance, operation, id] :
         rows.rows<instance_key, std::int32_t, std::int64_t>())
        ids[{instance, operation}] = id;
    for (const std::size_t item : items) {
        workflow_completion& completion = completions_[item];
        for (const std::size_t place : completion.eager) {
            scheduled_activity& scheduled = completion.activities[place];
            const auto id = ids.find({completion.instance, scheduled.operation});
            if (id == ids.end()) continue;
            activity_task& task = outcomes_[item].claimed.emplace_back();
            task.id = id->second;
            task.instance = completion.instance;
            task.instance_id = completion.id;
            task.workflow_queue = completion.queue;
            task.queue = completion.queue_of(scheduled);
            task.name = std::move(scheduled.name);
            task.run = completion.run;
            task.operation = scheduled.operation;
            task.attempt = 1;
            task.arguments = std::move(scheduled.arguments);
            task.options = std::move(scheduled.options);
            task.options.queue(task.queue);
            task.token = completion.eager_token;
            task.holder = completion.holder;
        }
    }
}

void workflow_batch::read_arrived(
    batch_items items, const pg::pipeline_result& results, const std::vector<bool>& more)
{
    const timestamp now = results[clock_].get<timestamp>(0, 0);
    core_.clock.observe(now);
    events_by_instance<arrived_event> inbox = read_inbox(results[arrived_]);
    for (std::size_t i = 0; i < items.size(); ++i) {
        workflow_completed& outcome = outcomes_[items[i]];
        const workflow_completion& completion = completions_[items[i]];
        outcome.now = now;
        if (!more[i]) continue;
        // With an event that this version cannot read it cannot go on: it is left to its lease, and
        // set apart by whoever claims it then.
        if (inbox.unreadable.contains(completion.instance)) continue;
        outcome.more = true;
        outcome.arrived = std::move(inbox.events[completion.instance]);
    }
}

void workflow_batch::add_question(pg::pipeline& work, batch_items items)
{
    std::vector<instance_key> instances, claimants;
    std::vector<claim_token> tokens, next_tokens, eager_tokens;
    std::vector<std::int32_t> runs, lengths;
    for (const std::size_t item : items) {
        const workflow_completion& each = completions_[item];
        instances.push_back(each.instance);
        tokens.push_back(each.token);
        next_tokens.push_back(each.next_token);
        runs.push_back(each.run);
        lengths.push_back(each.history_length);
        if (each.eager.empty()) continue;
        claimants.push_back(each.instance);
        eager_tokens.push_back(each.eager_token);
    }
    resolution_ =
        work.add(core_.sql.resolve_workflow_tasks, instances, tokens, next_tokens, runs, lengths);
    arrived_ = work.add(core_.sql.read_arrived, instances, next_tokens);
    clock_ = work.add(core_.sql.read_clock);
    claimed_.reset();
    if (!claimants.empty())
        claimed_ = work.add(core_.sql.read_eager_activities, claimants, eager_tokens);
}

std::vector<bool> workflow_batch::resolved(batch_items items, const pg::pipeline_result& results)
{
    std::vector<bool> settled, more;
    for (const auto& [position, committed, goes_on] :
         results[resolution_].rows<std::int64_t, bool, bool>()) {
        settled.push_back(committed);
        more.push_back(committed && goes_on);
    }
    read_arrived(items, results, more);
    std::vector<std::size_t> known;
    for (std::size_t i = 0; i < items.size(); ++i) {
        if (!settled[i]) continue;
        outcomes_[items[i]].status = completion_status::confirmed;
        known.push_back(items[i]);
    }
    announce_committed(known);
    if (claimed_) read_claimed(known, results[*claimed_]);
    return settled;
}

void workflow_batch::lost(std::size_t item)
{
    outcomes_[item].status = completion_status::lease_lost;
}

void workflow_batch::rejected(std::size_t item, const std::string& reason)
{
    outcomes_[item].status = completion_status::rejected;
    outcomes_[item].reason = reason;
}

announcement workflow_batch::announce(batch_items items) const
{
    announcement what = news();
    for (const std::size_t item : items) {
        const workflow_completion& each = completions_[item];
        switch (ending_of(each)) {
        case ending::finished: what.finished.push_back(each.instance); continue;
        case ending::continued: what.add_workflow_queue(each.queue); continue;
        case ending::none: break;
        }
        if (!each.cancelled_activities.empty()) what.withdrawn.push_back(each.instance);
        if (each.next_timer) what.add_workflow_queue(each.queue, each.next_timer);
        for (std::size_t place = 0; place < each.activities.size(); ++place) {
            const std::string& queue = each.queue_of(each.activities[place]);
            if (!std::ranges::binary_search(each.eager, place))
                what.add_activity_queue(queue);
            else if (const auto lease_ends = due_after(each.lease))
                what.add_activity_queue(queue, lease_ends);
        }
    }
    return what;
}

} // namespace perdure::store
