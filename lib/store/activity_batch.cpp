#include <store/activity_batch.hpp>

#include <perdure/workflow/event.hpp>

#include <chrono>
#include <span>
#include <string_view>
#include <utility>

namespace perdure::store {

namespace {

using outcome = enum activity_completion::outcome;

/// Whether the workflow hears of it.
bool is_result(const activity_completion& completion)
{
    return completion.outcome == outcome::completed || completion.outcome == outcome::failed;
}

} // namespace

activity_batch::activity_batch(store_core& core, std::vector<activity_completion> completions)
    : report_batch{core}, completions_{std::move(completions)}, outcomes_(completions_.size())
{}

std::vector<std::size_t> activity_batch::sizes() const
{
    std::vector<std::size_t> sizes;
    for (const activity_completion& each : completions_)
        sizes.push_back(each.data.size() + each.problem.size());
    return sizes;
}

pg::pipeline activity_batch::build(batch_items items)
{
    std::vector<instance_key> instances;
    std::vector<std::int64_t> ids;
    std::vector<claim_token> tokens;
    for (const std::size_t item : items) {
        instances.push_back(completions_[item].instance);
        ids.push_back(completions_[item].id);
        tokens.push_back(completions_[item].token);
    }
    pg::pipeline work = begin(items);
    work.add(core_.sql.fence_activity_tasks, instances, ids, tokens);
    add_results(work, items);
    add_settling(work, items);
    commit(work, items);
    return work;
}

void activity_batch::add_results(pg::pipeline& work, batch_items items) const
{
    std::vector<instance_key> instances;
    std::vector<std::int64_t> ids;
    std::vector<std::int32_t> runs, operations;
    std::vector<std::string_view> types, names;
    std::vector<std::span<const std::byte>> data;
    for (const std::size_t item : items) {
        const activity_completion& each = completions_[item];
        if (!is_result(each)) continue;
        instances.push_back(each.instance);
        ids.push_back(each.id);
        runs.push_back(each.run);
        types.push_back(to_string(
            each.outcome == outcome::completed ? event_type::activity_completed
                                               : event_type::activity_failed));
        operations.push_back(each.operation);
        names.push_back(each.name);
        data.push_back(each.data.span());
    }
    if (instances.empty()) return;
    work.add(core_.sql.deliver_results, instances, ids, runs, types, operations, names, data);
    work.add(core_.sql.wake_workflow_tasks);
}

void activity_batch::add_settling(pg::pipeline& work, batch_items items)
{
    std::vector<instance_key> instances, troubled;
    std::vector<std::int64_t> ids;
    std::vector<std::int32_t> runs, uncounted;
    std::vector<bool> again;
    std::vector<std::chrono::milliseconds> delays;
    std::vector<std::string_view> problems;
    for (const std::size_t item : items) {
        const activity_completion& each = completions_[item];
        instances.push_back(each.instance);
        ids.push_back(each.id);
        runs.push_back(each.run);
        again.push_back(!is_result(each));
        delays.push_back(each.delay);
        uncounted.push_back(each.outcome == outcome::release ? 1 : 0);
        if (is_result(each) || each.problem.empty()) continue;
        troubled.push_back(each.instance);
        problems.push_back(each.problem);
    }
    settled_ =
        work.add(core_.sql.settle_activity_tasks, instances, ids, runs, again, delays, uncounted);
    if (!troubled.empty()) work.add(core_.sql.note_problems, troubled, problems);
}

std::vector<std::size_t> activity_batch::confirmed(
    batch_items items, const pg::pipeline_result& results)
{
    for (const auto& [position] : results[settled_].rows<std::int64_t>())
        outcomes_[items[static_cast<std::size_t>(position - 1)]].dropped = true;
    announce_committed(items);
    return {};
}

void activity_batch::add_question(pg::pipeline& work, batch_items items)
{
    std::vector<instance_key> instances;
    std::vector<std::int64_t> ids;
    std::vector<claim_token> tokens;
    for (const std::size_t item : items) {
        instances.push_back(completions_[item].instance);
        ids.push_back(completions_[item].id);
        tokens.push_back(completions_[item].token);
    }
    resolution_ = work.add(core_.sql.resolve_activity_tasks, instances, ids, tokens);
}

std::vector<bool> activity_batch::resolved(batch_items items, const pg::pipeline_result& results)
{
    std::vector<bool> settled;
    std::vector<std::size_t> known;
    for (const auto& [position, present, held] :
         results[resolution_].rows<std::int64_t, bool, bool>()) {
        const std::size_t item = items[static_cast<std::size_t>(position - 1)];
        // A committed result leaves no row; a row that somebody else claims meanwhile was not
        // completed by us, and sending it again lets the fence say so.
        const bool not_done = present && (held || is_result(completions_[item]));
        settled.push_back(!not_done);
        if (!not_done) known.push_back(item);
    }
    announce_committed(known);
    return settled;
}

void activity_batch::lost(std::size_t item)
{
    outcomes_[item].status = completion_status::lease_lost;
}

void activity_batch::rejected(std::size_t item, const std::string& reason)
{
    outcomes_[item].status = completion_status::rejected;
    outcomes_[item].reason = reason;
}

announcement activity_batch::announce(batch_items items) const
{
    announcement what = news();
    for (const std::size_t item : items) {
        const activity_completion& each = completions_[item];
        if (is_result(each))
            what.add_workflow_queue(each.workflow_queue, std::nullopt, each.holder);
        else
            what.add_activity_queue(each.queue, due_after(each.delay));
    }
    return what;
}

} // namespace perdure::store
